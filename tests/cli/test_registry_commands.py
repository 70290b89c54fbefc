"""Commands that call a server: their output, effects and exit statuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.db import connections
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import scopes_of
from boards.models import ModelVersion, PolicyCheck, TransitionRequest, User
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.cli import main
from obeya.records import Channel

pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[..., Result]


def person(name: str, group: str = "administrator") -> User:
    return create_user(username=name, group=group, actor=SYSTEM, at=timezone.now())


def token_of(user: User) -> str:
    _, text = create_token(
        user=user,
        name="a test",
        scopes=scopes_of(user),
        actor=Actor(user, Channel.PAGE),
        at=timezone.now(),
    )
    return text


@pytest.fixture
def alice() -> User:
    return person("alice")


@pytest.fixture
def registry(alice: User) -> DatabaseRegistry:
    return DatabaseRegistry(actor=alice)


@pytest.fixture
def obeya(live_server: Any, alice: User, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "OBEYA_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    token = token_of(alice)

    def run(*args: str, **env: str) -> Result:
        settings = {"OBEYA_URL": live_server.url, "OBEYA_TOKEN": token, **env}
        return CliRunner().invoke(main, list(args), env=settings)

    return run


def churn(number: int = 1) -> list[str]:
    return ["--model", "churn", "--version", str(number)]


def test_a_version_is_registered_with_every_option(obeya: Run) -> None:
    done = obeya(
        "register",
        "churn",
        *("--metric", "auc=0.91", "--metric", "loss=1e-3", "--tag", "team=risk=eu"),
        *("--artifact-uri", "s3://models/churn", "--label", "rc1", "--description", "Trained."),
    )
    assert (done.exit_code, done.output) == (0, "churn v1 is registered in Development.\n")
    shown = json.loads(obeya("show", *churn(), "--json").stdout)
    assert shown["metrics"] == {"auc": 0.91, "loss": 0.001}
    assert shown["tags"] == {"team": "risk=eu"}
    assert (shown["label"], shown["description"]) == ("rc1", "Trained.")


def test_similar_names_are_refused_allowed_warned_about_and_imported(
    obeya: Run, tmp_path: Path
) -> None:
    obeya("register", "churn1", "--metric", "auc=1")
    refused = obeya("register", "CHURN1")
    assert refused.exit_code == 4
    assert "looks like the existing “churn1”. Use the existing one. " in refused.output
    assert "add --allow-similar" in refused.output
    assert "allow_similar" not in refused.output
    assert obeya("register", "CHURN1", "--allow-similar").exit_code == 0
    warned = obeya("register", "churnl")
    assert warned.exit_code == 0
    assert "warning: The model name “churnl” is similar to" in warned.stderr
    version = ("--model", "churn1", "--version", "1")
    obeya("alias", "set", "best", *version)
    for command in (("alias", "set", "Best"), ("log-metrics", "--metric", "AUC=1")):
        assert obeya(*command, *version).exit_code == 4
        assert obeya(*command, *version, "--allow-similar").exit_code == 0
    file = tmp_path / "versions.csv"
    file.write_text("model,label\nspam,1\nSPAM,1\nSPAM,2\n")
    done = obeya("import", "csv", str(file), "--json")
    found = json.loads(done.stdout)
    assert (found["registered"], found["refused"]) == (3, [])
    assert found["similar_names"] == ["The model name “spam” is similar to “SPAM”."]


def test_a_list_without_rows_says_why(obeya: Run) -> None:
    assert "There are no models yet." in obeya("list").stderr
    obeya("register", "churn")
    assert obeya("list", "spam").stderr == "No model name contains “spam”.\n"


def test_a_missing_choice_names_its_option(obeya: Run) -> None:
    obeya("register", "churn")
    assert "Option: --to-version." in obeya("rollback", "--model", "churn", "--reason", "x").stderr
    obeya("transition", *churn(), "--stage", "archived")
    assert "Option: --stage." in obeya("promote", *churn()).stderr


def test_metrics_are_added_later(obeya: Run) -> None:
    obeya("register", "churn")
    assert obeya("log-metrics", *churn(), "--metric", "auc=0.9").exit_code == 0
    assert "auc\t0.9" in obeya("show", *churn()).output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--metric", "auc"], "is not a valid metric. Write it as key=value"),
        (["--metric", "auc=high"], "is not a number"),
        (["--metric", "auc=nan"], "finite"),
        (["--metric", "auc=1", "--metric", "auc=2"], "Duplicate metric “auc”."),
        (["--version", "0"], "0 is not in the range"),
        (["--artifact-uri", "a\nb"], "control characters"),
    ],
)
def test_invalid_options_register_nothing(obeya: Run, args: list[str], says: str) -> None:
    done = obeya("register", "churn", *args)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not ModelVersion.objects.exists()


def test_lists_and_filters(obeya: Run) -> None:
    for auc in ("0.7", "0.9", "0.8"):
        obeya("register", "churn", "--metric", f"auc={auc}")
    assert obeya("list").stdout.splitlines()[1].split("\t")[:2] == ["churn", "3"]
    found = obeya("list", "--filter", "metrics.auc > 0.75", "--order-by", "metrics.auc", "--json")
    assert [row["version"] for row in json.loads(found.stdout)] == [3, 2]
    assert obeya("list", "--stage", "Production").stderr == "No version matches.\n"
    wrong = obeya("list", "--filter", "metrics.auc >")
    assert wrong.exit_code == 2


def test_versions_are_named_by_alias_and_as_the_latest(
    obeya: Run, registry: DatabaseRegistry
) -> None:
    for _ in range(2):
        obeya("register", "churn", "--metric", "auc=0.9")
    registry.set_alias("churn", "best", 1)
    for name, number in (("best", 1), ("latest", 2), ("v1", 1)):
        shown = obeya("show", "--model", "churn", "--version", name, "--json")
        assert json.loads(shown.stdout)["version"] == number
    assert obeya("show", "--model", "churn", "--version", "none").exit_code == 3


def test_two_versions_are_compared(obeya: Run) -> None:
    for auc in ("0.8", "0.9"):
        obeya("register", "churn", "--metric", f"auc={auc}")
    done = obeya("compare", "--model", "churn", "1", "2")
    assert "auc\t0.8\t0.9\t+0.1\t+12.5 %\tbetter" in done.stdout


def test_a_check_prints_and_stores_the_policy_result(
    obeya: Run, registry: DatabaseRegistry, tmp_path: Path
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_metric("auc", Comparison.GTE, 0.9))
    for auc in ("0.8", "0.95"):
        obeya("register", "churn", "--metric", f"auc={auc}")
    summary = tmp_path / "summary.md"
    bad = obeya("check", *churn(), GITHUB_STEP_SUMMARY=str(summary), GITHUB_ACTIONS="true")
    assert bad.exit_code == 1
    assert "failed\tauc ≥ 0.9" in bad.stdout
    assert "::error title=Policy check of churn v1 for Staging::" in bad.stdout
    assert "| auc ≥ 0.9 | ❌ failed |" in summary.read_text("utf-8")
    good = obeya("check", *churn(2), "--stage", "STAGING")
    assert good.exit_code == 0
    assert PolicyCheck.objects.count() == 2
    assert f"/checks/{PolicyCheck.objects.latest('pk').uid}/" in good.stdout
    reading = token_of(person("vera", "viewer"))
    only_read = obeya("check", *churn(2), OBEYA_TOKEN=reading)
    assert only_read.exit_code == 0
    assert "/checks/" not in only_read.stdout
    assert "not stored" in only_read.stderr
    assert PolicyCheck.objects.count() == 2


def test_promote_moves_to_the_next_stage_or_lists_every_refusal(
    obeya: Run, registry: DatabaseRegistry
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("auc", Comparison.GTE, 0.9)
        .require_approvals(1)
    )
    obeya("register", "churn", "--metric", "auc=0.8")
    assert obeya("promote", *churn()).stdout == "churn v1 is in Staging.\n"
    refused = obeya("promote", *churn())
    assert refused.exit_code == 1
    assert "failed\tauc ≥ 0.9" in refused.stdout
    assert [line for line in refused.stderr.splitlines() if line.startswith("refused: ")] == [
        "refused: 1 more approval is needed (0 of 1 given)."
    ]
    document = json.loads(obeya("promote", *churn(), "--json").stdout)
    assert {r["kind"] for r in document["refusals"]} == {"policy", "approvals"}
    skipped = obeya("transition", *churn(), "--stage", "production")
    assert skipped.exit_code == 1


def test_wait_requests_approvals_and_promotes_once_they_are_given(
    obeya: Run, registry: DatabaseRegistry
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(1))
    obeya("register", "churn")
    anna = DatabaseRegistry(actor=person("anna", "approver"))

    ended = threading.Event()

    def approve_when_asked() -> None:
        try:
            while not ended.wait(0.05):
                if TransitionRequest.objects.filter(status="open").exists():
                    anna.approve("churn", 1)
                    return
        finally:
            connections.close_all()

    thread = threading.Thread(target=approve_when_asked)
    thread.start()
    try:
        done = obeya("promote", *churn(), "--wait", "240", "--reason", "Nightly.")
    finally:
        ended.set()
        thread.join()
    assert done.exit_code == 0, done.output
    assert "Requested approval: http" in done.stderr
    assert ModelVersion.objects.get().stage == "staging"


def test_waiting_times_out(obeya: Run, registry: DatabaseRegistry) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(1))
    obeya("register", "churn")
    done = obeya("promote", *churn(), "--wait", "1")
    assert done.exit_code == 1
    assert (
        "The waiting time has passed, and approvals are missing. The request stays open"
        in done.stderr
    )
    assert TransitionRequest.objects.get().status == "open"


def test_a_request_is_opened_and_approved_by_someone_else(
    obeya: Run, registry: DatabaseRegistry
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(1))
    obeya("register", "churn")
    asked = obeya("request", *churn(), "--reason", "Better.")
    assert asked.exit_code == 0
    assert "/requests/" in asked.stdout
    again = obeya("request", *churn())
    assert again.exit_code == 4
    address = asked.stdout.split()[-1]
    assert f"already has an open request. {address}" in again.stderr
    assert obeya("approve", *churn()).exit_code == 5
    by_anna = {"OBEYA_TOKEN": token_of(person("anna", "approver"))}
    assert obeya("approve", *churn(), **by_anna).exit_code == 0
    assert obeya("promote", *churn()).exit_code == 0


def test_a_promotion_archives_as_its_request_stated(obeya: Run) -> None:
    for number in (1, 2):
        obeya("register", "churn")
        obeya("promote", *churn(number))
    obeya("promote", *churn(1))
    obeya("request", *churn(2), "--reason", "Better.", "--archive-existing")
    done = obeya("promote", *churn(2))
    assert done.stdout == "churn v2 is in Production. Archived: v1.\n"


def test_a_rollback_and_the_history(obeya: Run) -> None:
    for number in (1, 2):
        obeya("register", "churn")
        obeya("promote", *churn(number))
        obeya("promote", *churn(number), "--archive-existing")
    done = obeya("rollback", "--model", "churn", "--reason", "Errors.")
    assert done.stdout == "churn v1 is back in Production; archived: v2.\n"
    history = obeya("history", "--model", "churn", "--version", "2").stdout
    assert [line.split("\t")[3] for line in history.splitlines()[1:]] == [
        "Development",
        "Staging",
        "Production",
        "Archived",
    ]


@pytest.mark.parametrize(
    ("args", "env", "status"),
    [
        (["show", "--model", "none"], {}, 3),
        (["show", *churn(9)], {}, 3),
        (["register", "a/b"], {}, 2),
        (["register", "churn", "--version", "1"], {}, 4),
        (["show"], {}, 2),
        (["list"], {"OBEYA_TOKEN": ""}, 5),
        (["list"], {"OBEYA_TOKEN": "obeya_wrong"}, 5),
        (["list"], {"OBEYA_URL": "http://127.0.0.1:9"}, 6),
        (["list"], {"OBEYA_URL": "ftp://x"}, 2),
    ],
)
def test_exit_statuses(obeya: Run, args: list[str], env: dict[str, str], status: int) -> None:
    obeya("register", "churn")
    done = obeya(*args, **env)
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output


def test_a_missing_permission_is_reported(obeya: Run) -> None:
    viewer = {"OBEYA_TOKEN": token_of(person("victor", "viewer"))}
    assert obeya("register", "churn", **viewer).exit_code == 5


CSV = """model,version,label,metrics.auc,tags.family
churn,,rc1,0.9,tree
churn,,,0.8,
bert,7,,,transformer
"""


def test_versions_are_imported_from_csv_and_jsonl(obeya: Run, tmp_path: Path) -> None:
    table, lines = tmp_path / "v.csv", tmp_path / "v.jsonl"
    table.write_text(CSV, "utf-8")
    assert obeya("import", "csv", str(table), "--dry-run").output.startswith("3 versions read, 0")
    assert not ModelVersion.objects.exists()
    assert "3 versions read, 3 registered." in obeya("import", "csv", str(table)).output
    lines.write_text(
        '{"model": "churn", "metrics": {"auc": {"value": 0.7, "samples": 100}}}\n\n'
        '{"model": "bert", "tags": {"family": "transformer"}}\n',
        "utf-8",
    )
    assert "2 registered" in obeya("import", "jsonl", str(lines)).output
    numbers = ModelVersion.objects.order_by("model__name", "number")
    assert list(numbers.values_list("model__name", "number")) == [
        ("bert", 7),
        ("bert", 8),
        ("churn", 1),
        ("churn", 2),
        ("churn", 3),
    ]


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("csv", "model,colour\nchurn,red\n", "Unknown column “colour”"),
        ("csv", "label\nchurn\n", "no model column. Its columns are: label."),
        ("csv", b"model\n\xff\n", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_registers_nothing(
    obeya: Run, tmp_path: Path, kind: str, content: str | bytes, says: str
) -> None:
    file = tmp_path / f"v.{kind}"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = obeya("import", kind, str(file))
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("csv", "model,metrics.auc\nchurn,0.9\nchurn,high\n", "Line 3: “high” in metrics.auc"),
        ("csv", "model,metrics.auc\nchurn,0.9\n,0.8\n", "Line 3: The model is missing."),
        ("csv", "model,version\nchurn,\nchurn,x,y\n", "Line 3: The row has more cells"),
        ("jsonl", '{"model": "churn"}\nnonsense\n', "Line 2: The line is not valid JSON."),
        (
            "jsonl",
            '{"model": "churn"}\n{"model": "churn", "colour": 1}\n',
            "Line 2: Unknown field “colour”",
        ),
        ("jsonl", '{"model": "churn"}\n{"model": "x", "metrics": [1]}\n', "has the wrong type"),
        ("jsonl", '{"model": "churn"}\n{"model": "x", "metrics": {"a": NaN}}\n', "finite"),
        ("jsonl", '{"model": "churn"}\n{"model": "a/b"}\n', "Line 2: A model name"),
    ],
)
def test_an_invalid_row_is_refused_and_the_others_are_imported(
    obeya: Run, tmp_path: Path, kind: str, content: str, says: str
) -> None:
    file = tmp_path / f"v.{kind}"
    file.write_text(content, "utf-8")
    done = obeya("import", kind, str(file))
    assert done.exit_code == 1, done.output
    assert says in done.stderr
    assert "2 versions read, 1 registered, 1 refused." in done.stdout
    assert ModelVersion.objects.get().model.name == "churn"


def test_a_number_of_a_deleted_version_is_refused(obeya: Run, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    rows = "model,version,metrics.auc\nspam,1,0.9\nspam,2,{}\nspam,3,0.8\n"
    file.write_text(rows.format("lots"), "utf-8")
    assert "2 registered, 1 refused" in obeya("import", "csv", str(file)).stdout
    file.write_text(rows.format("0.7"), "utf-8")
    repaired = obeya("import", "csv", str(file))
    assert repaired.exit_code == 1
    assert "0 registered, 2 already registered, 1 refused." in repaired.stdout
    assert "Line 3: " in repaired.stderr
    assert "the next is 4" in repaired.stderr


def test_the_same_file_again_registers_nothing_twice(obeya: Run, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text(CSV, "utf-8")
    for _ in range(2):
        assert obeya("import", "csv", str(file)).exit_code == 0
    assert ModelVersion.objects.count() == 3


def test_columns_are_mapped_and_an_export_is_imported_again(obeya: Run, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text("name,top1,note\nchurn,0.9,x\n", "utf-8")
    maps = ("--map", "name=model", "--map", "top1=metrics.auc", "--map", "note=")
    assert obeya("import", "csv", str(file), *maps).exit_code == 0
    assert ModelVersion.objects.get().metrics.get().value == 0.9
    for form in ("csv", "jsonl"):
        written = tmp_path / f"out.{form}"
        text = obeya("export", form).stdout.replace("churn", f"from-{form}")
        written.write_text(text, "utf-8")
        assert obeya("import", form, str(written)).exit_code == 0, text
    assert ModelVersion.objects.filter(metrics__value=0.9).count() == 3


def test_an_unknown_field_of_a_mapping_is_named(obeya: Run, tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text("model,auc\nchurn,0.9\n", "utf-8")
    done = obeya("import", "csv", str(file), "--map", "auc=metric.auc")
    assert done.exit_code == 2
    assert "Unknown field “metric.auc” in --map auc=metric.auc." in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_works(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert "_OBEYA_COMPLETE" in done.output


# --- Policies -------------------------------------------------------------------------------------

POLICIES = """policies:
- stage: staging
  requirements:
  - auc >= 0.9
- stage: production
  model: churn
  required_approvals: 1
"""


def test_policies_as_code_through_the_api(obeya: Run, tmp_path: Path) -> None:
    obeya("register", "churn", "--metric", "auc=0.8")
    file = tmp_path / "p.yml"
    file.write_text(POLICIES, "utf-8")
    tried = obeya("policy", "apply", str(file), "--dry-run")
    assert tried.exit_code == 10
    assert "Default policy for Staging:\n  + auc ≥ 0.9" in tried.output
    simulated = obeya("policy", "simulate", str(file)).output
    assert "0 of 1 versions pass" in simulated
    assert obeya("policy", "apply", str(file)).output.endswith("Changed 2 policies.\n")
    again = obeya("policy", "apply", str(file), "--dry-run")
    assert (again.exit_code, again.output) == (0, "Nothing to change.\n")
    exported = tmp_path / "exported.yml"
    exported.write_text(obeya("policy", "export").output, "utf-8")
    assert obeya("policy", "apply", str(exported), "--dry-run").exit_code == 0


def test_a_policy_before_the_first_version_names_unmeasured_metrics(
    obeya: Run, registry: DatabaseRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "p.yml"
    file.write_text("policies:\n- stage: staging\n  requirements:\n  - auc >= 0.9\n", "utf-8")
    done = obeya("policy", "apply", str(file))
    assert done.exit_code == 0
    assert "line 4: no version has the metric “auc” yet." in done.stderr
    assert registry.get_policy(Stage.STAGING) is not None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("model: churn", "model: none", "line 5: There is no registered model"),
        ("required_approvals", "approvals", "line 7: Unknown key “approvals” in a policy"),
    ],
)
def test_a_policy_file_with_an_unknown_model_changes_nothing(
    obeya: Run, registry: DatabaseRegistry, tmp_path: Path, old: str, new: str, says: str
) -> None:
    obeya("register", "churn", "--metric", "auc=0.8")
    file = tmp_path / "p.yml"
    file.write_text(POLICIES.replace(old, new), "utf-8")
    done = obeya("policy", "apply", str(file))
    assert done.exit_code == 2
    assert says in done.stderr
    assert registry.get_policy(Stage.STAGING) is None


# Aliases


def test_aliases_are_set_listed_and_removed(obeya: Run) -> None:
    obeya("register", "churn")
    assert obeya("alias", "set", "best", *churn()).output == "best points to churn v1.\n"
    listed = obeya("alias", "list", "--model", "churn").stdout.splitlines()
    assert [line.split("\t") for line in listed] == [
        ["alias", "version", "governed", "configured in"],
        ["best", "v1", "", ""],
        ["champion", "", "follows Production", "workflow"],
    ]
    assert obeya("alias", "delete", "best", "--model", "churn").exit_code == 0
    assert obeya("alias", "delete", "best", "--model", "churn").exit_code == 3


def test_a_governed_alias_is_refused_with_exit_status_1(obeya: Run) -> None:
    obeya("register", "churn")
    for alias in ("champion", "Champion"):
        refused = obeya("alias", "set", alias, *churn())
        assert refused.exit_code == 1
        assert "Move v1 from Development to Staging, then to Production." in refused.stderr
    for stage in ("staging", "production"):
        obeya("transition", *churn(), "--stage", stage)
    assert obeya("alias", "set", "champion", *churn()).exit_code == 0
    assert obeya("alias", "delete", "champion", "--model", "churn").exit_code == 1


def test_alias_names_are_governed_for_all_models_and_for_one(obeya: Run) -> None:
    obeya("register", "churn")
    done = obeya("alias", "govern", "next", "--stage", "staging")
    assert done.output == "All models, alias next: follows Staging.\n"
    done = obeya("alias", "govern", "champion", "--mode", "free", "--model", "churn")
    assert done.output == "churn, alias champion: free.\n"
    assert obeya("alias", "set", "champion", *churn()).exit_code == 0
    shown = json.loads(obeya("alias", "list", "--model", "churn", "--json").stdout)
    assert shown["aliases"] == {"champion": 1}
    assert [(g["alias"], g["mode"], g["model"]) for g in shown["governed_aliases"]] == [
        ("champion", "free", "churn"),
        ("next", "follows", None),
    ]
    done = obeya("alias", "ungovern", "champion", "--model", "churn")
    assert done.output == "churn, alias champion: follows Production.\n"
    assert obeya("alias", "ungovern", "champion", "--model", "churn").exit_code == 3
    assert obeya("alias", "ungovern", "next").output == "All models, alias next: free.\n"
    assert obeya("alias", "govern", "next", "--stage", "archived").exit_code == 2
