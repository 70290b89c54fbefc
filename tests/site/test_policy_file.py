"""Policies as a YAML file: export, validation and application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, PolicyRevision
from boards.registry.database import DatabaseRegistry
from obeya.aliases.governed import CHAMPION
from obeya.policy.bounds import Comparison
from obeya.policy.file import PolicyFileError, read_policy_file, write_policy_file
from obeya.policy.policy import PromotionPolicy
from obeya.policy.rules import RequiredTag, TimeInStage
from obeya.stages import Stage
from registry_site.cli.policy import policy as command
from tests.core.test_policy_text import policies

STAGING = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
GOOD = """\
policies:
  - stage: staging
    requirements:
      - accuracy >= 0.9
"""


@given(st.lists(policies, max_size=2, unique_by=lambda p: p.stage), st.none() | st.text(min_size=1))
def test_what_is_written_is_read_back(given: list[PromotionPolicy], model: str | None) -> None:
    model = None if model is None else model.encode("utf-8", "ignore").decode() or "m"
    if model is not None and not model.isprintable():
        model = "m"
    text = write_policy_file((model, policy) for policy in given)
    assert [(p.model, p.policy) for p in read_policy_file(text).policies] == [
        (model, p) for p in given
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "empty"),
        ("policies: [", 1, "not valid YAML"),
        ("- a", 1, "must be a mapping"),
        ("rules: []", 1, "Unknown key “rules”"),
        ("policies: {}", 1, "must be a list"),
        ("policies:\n  - 5", 2, "must be a mapping"),
        ("policies:\n  - requirements: []", 2, "“stage” is missing"),
        ("policies:\n  - stage: nowhere", 2, "not a stage"),
        ("policies:\n  - stage: archived", 2, "cannot have a promotion policy"),
        (GOOD + "    approvals: 2\n", 5, "Unknown key “approvals”"),
        (GOOD + "    mode: strict\n", 5, "not a mode"),
        (GOOD + "    min_test_coverage: .nan\n", 5, "not a finite number"),
        (GOOD + "    min_test_coverage: high\n", 5, "must be a number"),
        (GOOD + "    required_approvals: 1.5\n", 5, "whole number"),
        (GOOD + "    auto_promote: 3\n", 5, "true or false"),
        (GOOD + "    mode: warn\n    mode: warn\n", 6, "Duplicate key “mode”"),
        (GOOD + "      - accuracy\n", 5, "is not a requirement"),
        (GOOD + "      - {speed: 3}\n", 5, "no requirement with the key speed. Valid keys: "),
        (GOOD + "      - [1]\n", 5, "is not a requirement"),
        (GOOD + "      - accuracy >= 0.9\n", 2, "Duplicate requirement"),
        (GOOD + "  - stage: staging\n", 5, "also on line 2"),
        ("policies: &a\n  - *a", 2, "Anchors"),
        ("policies:\n  - !!python/object/new:os.system [x]", 2, "must be a mapping"),
        ("[" * 100_000, 1, "nested more than"),
        ("x" * 1_000_001, 1, "larger than"),
    ],
)
def test_an_invalid_file_is_refused_with_the_line(text: str, line: int, says: str) -> None:
    with pytest.raises(PolicyFileError, match=says) as refused:
        read_policy_file(text)
    assert refused.value.line == line


def test_every_mistake_is_named_with_its_line() -> None:
    text = (
        "policies:\n  - stage: prod\n    requirements:\n      - accuracy >= .nan\n"
        "      - f1 >= 0.5\n    mood: warn\n  - stage: staging\n    mode: grim\n"
    )
    with pytest.raises(PolicyFileError) as refused:
        read_policy_file(text)
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "line 2",
        "line 4",
        "line 6",
        "line 8",
    ]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_policy_file(text)
    except PolicyFileError as refused:
        assert refused.line >= 1  # noqa: PT017 - most texts are refused, not all


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Run `obeya policy` with the text of a file."""

    def invoke(*arguments: str, text: str | None = None) -> Result:
        file = tmp_path / "policies.yml"
        if text is not None:
            file.write_text(text, "utf-8")
            arguments = (*arguments, str(file))
        return CliRunner().invoke(command, arguments)

    return invoke


@pytest.fixture
def registry(db: None) -> DatabaseRegistry:
    """Register two models with an accuracy; one has a model policy."""
    registry = DatabaseRegistry(actor=None)
    for name in ("bert", "resnet50"):
        registry.register_model(name, metrics={"accuracy": 0.9})
    registry.set_policy(STAGING)
    own = STAGING.require(RequiredTag("risk", "low")).require(TimeInStage(2)).require_approvals(2)
    registry.set_policy(own, "bert")
    return registry


def test_an_export_applied_changes_nothing(
    registry: DatabaseRegistry, run: Callable[..., Result]
) -> None:
    written = run("export")
    assert written.exit_code == 0
    before = PolicyRevision.objects.count()
    applied = run("apply", "--dry-run", text=written.output)
    assert (applied.exit_code, applied.output) == (0, "Nothing to change.\n")
    assert run("apply", text=written.output).exit_code == 0
    assert PolicyRevision.objects.count() == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    registry: DatabaseRegistry, run: Callable[..., Result]
) -> None:
    text = run("export").output.replace("accuracy >= 0.9", "accuracy >= 0.95", 1)
    dry = run("apply", "--dry-run", text=text)
    assert dry.exit_code == 10
    assert "+ accuracy ≥ 0.95" in dry.output
    assert "- accuracy ≥ 0.9\n" in dry.output
    assert registry.get_policy(Stage.STAGING) == STAGING
    assert run("apply", text=text).exit_code == 0
    wanted = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.95)
    assert registry.get_policy(Stage.STAGING) == wanted
    assert AuditEvent.objects.latest("pk").channel == "cli"
    assert SYSTEM.user is None


def test_an_unknown_model_is_named_with_its_line_and_nothing_is_applied(
    registry: DatabaseRegistry, run: Callable[..., Result]
) -> None:
    text = (
        "policies:\n  - stage: production\n    requirements: [accuracy > 0.5]\n"
        "  - stage: staging\n    model: nobody\n    requirements: [acuracy > 0.5]\n"
    )
    refused = run("apply", text=text)
    assert refused.exit_code == 2
    assert "line 4: there is no registered model named “nobody”" in refused.output
    assert "line 6: no version has the metric “acuracy” yet" in refused.output
    assert registry.get_policy(Stage.PRODUCTION) is None


@pytest.mark.django_db
def test_an_unreadable_file_ends_with_a_message(run: Callable[..., Result], tmp_path: Path) -> None:
    refused = run("apply", text="policies: 5")
    assert refused.exit_code == 2
    assert "policies.yml: line 1: “policies” must be a list." in refused.output
    (tmp_path / "latin.yml").write_bytes(b"\xe9")
    assert CliRunner().invoke(command, ["apply", str(tmp_path / "latin.yml")]).exit_code == 2


ALIASES = """\
governed_aliases:
  - alias: champion
  - {alias: stable, model: bert, mode: guarded}
  - {alias: champion, model: bert, mode: free}
"""


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("governed_aliases: {}", 1, "must be a list"),
        ("governed_aliases:\n  - 5", 2, "must be a mapping"),
        ("governed_aliases:\n  - mode: free", 2, "“alias” is missing"),
        ("governed_aliases:\n  - {alias: a, role: b}", 2, "Unknown key “role”"),
        ("governed_aliases:\n  - {alias: v1}", 2, "reserved"),
        ("governed_aliases:\n  - {alias: a, stage: development}", 2, "only to Staging"),
        ("governed_aliases:\n  - {alias: a, mode: strict}", 2, "not a mode"),
        ("governed_aliases:\n  - {alias: 5}", 2, "must be text"),
        (ALIASES + "  - alias: Champion\n", 5, "Duplicate alias"),
    ],
)
def test_an_alias_that_cannot_be_is_refused_with_the_line(text: str, line: int, says: str) -> None:
    with pytest.raises(PolicyFileError, match=says) as refused:
        read_policy_file(text)
    assert refused.value.line == line


def test_governed_aliases_are_applied_and_exported(
    registry: DatabaseRegistry, run: Callable[..., Result]
) -> None:
    dry = run("apply", "--dry-run", text=ALIASES)
    assert (dry.exit_code, registry.get_governed_aliases("bert")) == (10, [CHAMPION])
    assert dry.output == (
        "all models, alias champion:\n  + follows Production\n"
        "bert, alias stable:\n  + guarded, bound to Production\n"
        "bert, alias champion:\n  + free\n"
    )
    assert run("apply", text=ALIASES).output.endswith("Changed 3 entries.\n")
    assert [str(each.mode) for each in registry.get_governed_aliases("bert")] == ["free", "guarded"]
    exported = run("export").output
    assert run("apply", "--dry-run", text=exported).output == "Nothing to change.\n"
    changed = run("apply", text=exported.replace("guarded", "follows"))
    assert "  + follows Production\n  - guarded, bound to Production\n" in changed.output
    missing = run("apply", text="governed_aliases:\n  - {alias: a, model: nobody}")
    assert missing.exit_code == 2
    assert "line 2: there is no registered model named “nobody”" in missing.output
