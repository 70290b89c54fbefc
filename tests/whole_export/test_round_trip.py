"""An export that is imported again is exported identically."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, AuditText, ModelVersion, RunFile, User
from boards.queries.audit.as_of import board_as_of
from boards.queries.search.board_filter import BoardFilter
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.artifacts.run_files import store_run_file
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from boards.registry.policies.limits import set_wip_limit
from boards.registry.transfer.imports import import_model
from boards.registry.transfer.whole_import import import_rows
from obeya.aliases.governed import GovernedAlias
from obeya.artifacts.manifest import FileEntry
from obeya.errors import RegistryError
from obeya.imports import ImportedModel, ImportedVersion
from obeya.metrics import Direction, Metric, MetricDefinition
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage
from obeya.transfer.whole_export import BrokenExport
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit
from tests.differing_rows import differing_rows
from tests.examples import examples
from tests.whole_export.conftest import content_of, empty, export_to, lines_of

pytestmark = pytest.mark.both_engines

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
NAMES = ("resnet50", "bert", "模型 ü")
PEOPLE = ("ada", "bob", "carol")
Step = Callable[["World"], Any]


class World:
    """A registry used by several people, an hour later each time."""

    def __init__(self) -> None:
        self.now = START
        self.users = {
            name: create_user(username=name, group="administrator", actor=SYSTEM, at=START)
            for name in PEOPLE
        }

    def as_(self, name: str) -> DatabaseRegistry:
        self.now += timedelta(hours=1)
        return DatabaseRegistry(actor=self.users[name], clock=lambda: self.now)


def store_files(world: World, name: str, number: int, content: bytes) -> None:
    actor = Actor(world.users["ada"], SYSTEM.channel)
    at = world.now
    sha256 = store_blob(body=io.BytesIO(content), size=len(content), actor=actor, at=at).sha256
    store_run_file(
        path=f"runs/{number}", body=io.BytesIO(content), size=len(content), actor=actor, at=at
    )
    entries = [FileEntry("model/a.bin", sha256)]
    set_artifact(name=name, version=number, files=entries, actor=actor, at=at)


who = st.sampled_from(PEOPLE)
model = st.sampled_from(NAMES)
number = st.integers(1, 3)
stage = st.sampled_from(list(Stage))
text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
value = st.floats(allow_nan=False, allow_infinity=False, width=32)


def step(*parts: st.SearchStrategy[Any]) -> Callable[[Callable[..., Any]], Any]:
    """Return a strategy of steps: `act`, called in a world with the drawn parts."""
    return lambda act: st.tuples(*parts).map(lambda drawn: lambda world: act(world, *drawn))


STEPS = st.one_of(
    step(who, model, value, text)(
        lambda w, u, m, v, t: w.as_(u).register_model(
            m, None, {"accuracy": Metric("accuracy", v, samples=10), "größe": 1e300}, description=t
        )
    ),
    step(who, model, value)(
        lambda w, u, m, v: w.as_(u).register_model(m, metrics={"accuracy": v}, label=f"l{v}")
    ),
    step(who, model, number, stage, text, st.booleans())(
        lambda w, u, m, n, s, t, a: w.as_(u).transition_stage(m, n, s, reason=t, archive_existing=a)
    ),
    step(who, model, number, value)(
        lambda w, u, m, n, v: w.as_(u).log_metrics(m, n, {"accuracy": v})
    ),
    step(who, model, number, text)(lambda w, u, m, n, t: w.as_(u).set_tag(m, "key", t, version=n)),
    step(who, model, text)(lambda w, u, m, t: w.as_(u).set_tag(m, "team", t)),
    step(who, model, number)(lambda w, u, m, n: w.as_(u).set_alias(m, "best", n)),
    step(who, model, text)(lambda w, u, m, t: w.as_(u).set_description(m, t)),
    step(who, value, st.integers(0, 2))(
        lambda w, u, v, n: w.as_(u).set_policy(
            PromotionPolicy(Stage.PRODUCTION)
            .require_metric("accuracy", Comparison.GTE, v)
            .require_approvals(n)
        )
    ),
    step(who, model, number)(
        lambda w, u, m, n: w.as_(u).request_transition(m, n, Stage.PRODUCTION, reason="Please")
    ),
    step(who, model, number)(lambda w, u, m, n: w.as_(u).approve(m, n)),
    step(who, model, number, text)(lambda w, u, m, n, t: w.as_(u).reject(m, n, comment=t)),
    step(who, model)(lambda w, u, m: w.as_(u).rollback(m, reason="Worse")),
    step(who, model, value)(
        lambda w, u, m, v: w.as_(u).set_guardrail(m, Guardrail("errors", Comparison.LTE, v))
    ),
    step(who, model, value)(lambda w, u, m, v: w.as_(u).report_live_metric(m, "errors", v)),
    step(model, number, st.binary(max_size=30))(store_files),
    step(who, model)(lambda w, u, m: w.as_(u).rename_model(m, "renamed")),
    step(who, model, number)(lambda w, u, m, n: w.as_(u).delete_version(m, n)),
    step(who, model)(lambda w, u, m: w.as_(u).delete_model(m)),
    step(st.integers(1, 3))(
        lambda w, n: set_wip_limit(
            limit=WipLimit(Stage.STAGING, n, LimitMode.WARN), name=None, actor=SYSTEM, at=w.now
        )
    ),
    step(who, st.sampled_from(["best", "next"]), st.sampled_from([None, *NAMES]))(
        lambda w, u, a, n: w.as_(u).set_governed_alias(GovernedAlias(a, Stage.STAGING), n)
    ),
    step(text)(
        lambda w, t: define_metric(
            definition=MetricDefinition("accuracy", direction=Direction.HIGHER, title=t),
            actor=SYSTEM,
            at=w.now,
        )
    ),
)


@settings(
    max_examples=examples(12),
    deadline=None,
    # An example takes a second: shrinking a failing one would take minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=10, max_size=60), st.randoms())
def test_an_imported_export_is_exported_identically(steps: list[Step], chance: Any) -> None:
    empty()
    world = World()
    for name in NAMES:
        for score in (0.8, 0.9):
            world.as_("ada").register_model(name, metrics={"accuracy": score})
    for act in steps:
        with suppress(RegistryError):
            act(world)
    dates = [START + (world.now - START) * chance.random() for _ in range(3)] + [world.now]
    before = [board_as_of(date, BoardFilter()) for date in dates]
    with TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        manifest = export_to(first)
        empty()
        counts = import_rows(lines=lines_of(first, manifest))
        assert counts == {name: told.rows for name, told in manifest.files.items()}
        export_to(second)
        assert content_of(second) == content_of(first)
    assert verify_chains().broken == ()
    assert list(differing_rows()) == []
    assert [board_as_of(date, BoardFilter()) for date in dates] == before
    # The registry remains usable: new rows get ids after the imported ones.
    ada = User.objects.get(username="ada")
    assert not ada.has_usable_password()
    assert [group.name for group in ada.groups.all()] == ["administrator"]
    DatabaseRegistry(actor=ada).register_model("after")
    assert verify_chains().broken == ()


def test_erased_texts_stay_erased(tmp_path: Path) -> None:
    world = World()
    world.as_("ada").register_model("resnet50", description="Names somebody")
    AuditText.objects.filter(role="description").delete()
    manifest = export_to(tmp_path / "first")
    empty()
    import_rows(lines=lines_of(tmp_path / "first", manifest))
    assert not AuditText.objects.filter(role="description").exists()
    assert verify_chains().broken == ()


def test_files_of_runs_in_an_older_export_are_recorded_as_adopted(tmp_path: Path) -> None:
    world = World()
    actor = Actor(world.users["ada"], SYSTEM.channel)
    blob = store_blob(body=io.BytesIO(b"x"), size=1, actor=actor, at=START)
    RunFile.objects.create(path="runs/1", blob=blob, user=actor.user, stored_at=START)
    manifest = export_to(tmp_path / "first")
    empty()
    lines = lines_of(tmp_path / "first", manifest)
    with pytest.raises(BrokenExport, match="run file runs/1 has no event"):
        import_rows(lines=lines)
    import_rows(lines=lines, written_as=1)
    assert AuditEvent.objects.latest("pk").action == "run_file.adopted"
    assert differing_rows() == []


def test_versions_that_were_imported_unchecked_remain_marked(tmp_path: Path) -> None:
    """The mark is not in the export; the log determines it."""
    versions = tuple(
        ImportedVersion(number, stage, START, START)
        for number, stage in enumerate((Stage.PRODUCTION, Stage.ARCHIVED), 1)
    )
    model = ImportedModel("bert", "https://mlflow.example.org", START, versions=versions)
    import_model(imported=model, actor=SYSTEM, at=START)
    manifest = export_to(tmp_path / "first")
    empty()
    import_rows(lines=lines_of(tmp_path / "first", manifest))
    marked = ModelVersion.objects.filter(imported_unchecked=True)
    assert list(marked.values_list("number", flat=True)) == [1]
    assert differing_rows() == []
