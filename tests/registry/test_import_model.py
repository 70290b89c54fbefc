"""Importing a model of another registry: what is stored, and what cannot be imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, ModelVersion, RegisteredModel, User
from boards.registry.catalog.catalog import configure_model, delete_model, delete_version
from boards.registry.database import DatabaseRegistry
from boards.registry.transfer.imports import import_model
from obeya.documents.catalog import transition_document, transition_from_document
from obeya.errors import InvalidInput, NotAllowed
from obeya.imports import VERSIONS_AT_ONCE_MAX, ImportedModel, ImportedVersion, ImportReport
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.rules import RequiredDescription
from obeya.records import Channel
from obeya.stages import Stage
from tests.differing_rows import differing_rows

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LONG_AGO = datetime(2024, 5, 1, tzinfo=UTC)
ORIGIN = "https://mlflow.example.org"

Import = Callable[..., ImportReport]


def version(number: int, stage: Stage = Stage.DEVELOPMENT, **more: Any) -> ImportedVersion:
    """Return version `number`, created `number` hours after the model, moved 30 minutes later."""
    made = LONG_AGO + timedelta(hours=number)
    times = {"created_at": made, "updated_at": made + timedelta(minutes=30)}
    return ImportedVersion(number, stage, **(times | {"artifact_path": f"s3://m/{number}"} | more))


@pytest.fixture
def bring(alice: User) -> Import:
    def run(*versions: ImportedVersion, by: User = alice, **more: Any) -> ImportReport:
        of_model: dict[str, Any] = {"name": "m", "origin": ORIGIN, "created_at": LONG_AGO} | more
        return import_model(
            imported=ImportedModel(**of_model, versions=versions),
            actor=Actor(by, Channel.API),
            at=NOON,
        )

    return run


def numbers() -> list[int]:
    return list(ModelVersion.objects.order_by("number").values_list("number", flat=True))


def test_versions_keep_their_stage_regardless_of_policies(
    bring: Import, registry: DatabaseRegistry, new_events: Callable[[], list[AuditEvent]]
) -> None:
    strict = PromotionPolicy(Stage.PRODUCTION).require_metric("auc", Comparison.GTE, 0.99)
    registry.set_policy(strict)
    new_events()
    report = bring(
        version(2, Stage.ARCHIVED),
        version(5, Stage.PRODUCTION, metrics={"auc": 0.5}, tags={"k": "v"}, aliases=("best",)),
        version(9, description="The *last*", source_run="abc"),
        description="A model",
        tags={"team": "crm"},
    )
    assert report == ImportReport(model="m", is_new=True, imported=(2, 5, 9))
    assert numbers() == [2, 5, 9]
    fifth = registry.get_version("m", 5)
    assert (fifth.stage, fifth.aliases, fifth.tags) == (
        Stage.PRODUCTION,
        ("best", "champion"),
        {"k": "v"},
    )
    assert registry.register_model("m").version == 10
    events = [event for event in new_events() if event.channel == Channel.IMPORT.value]
    assert [(event.action, event.occurred_at) for event in events if event.version] == [
        ("model_version.registered", LONG_AGO + timedelta(hours=2)),
        ("model_version.stage_transitioned", LONG_AGO + timedelta(hours=2, minutes=30)),
        ("model_version.registered", LONG_AGO + timedelta(hours=5)),
        ("model_version.stage_transitioned", LONG_AGO + timedelta(hours=5, minutes=30)),
        ("model_version.registered", LONG_AGO + timedelta(hours=9)),
        ("alias.set", LONG_AGO + timedelta(hours=9)),
        ("alias.set", LONG_AGO + timedelta(hours=9)),
    ]
    told = json.loads(events[-3].canonical_text)["data"]["imported"]
    assert told["from"] == ORIGIN
    assert differing_rows() == []


def test_a_second_import_changes_nothing(
    bring: Import, whole_database: Callable[[], dict[str, list[Any]]]
) -> None:
    both = (version(1, Stage.PRODUCTION, aliases=("best",)), version(2))
    bring(*both)
    before = whole_database()
    assert bring(*both, description="Another") == ImportReport(model="m", existing=(1, 2))
    assert whole_database() == before


def test_new_versions_join_those_that_are_there(bring: Import) -> None:
    bring(version(1), version(2))
    assert bring(version(1), version(2), version(3, Stage.STAGING)) == ImportReport(
        model="m", imported=(3,), existing=(1, 2)
    )


def test_a_different_version_with_the_same_number_is_unchanged(
    bring: Import, registry: DatabaseRegistry
) -> None:
    registry.register_model("m", artifact_path="s3://ours/1")
    report = bring(version(1, Stage.PRODUCTION, aliases=("best",)), version(2))
    assert report.imported == (2,)
    assert list(report.refused) == [1]
    assert "exists in this registry with another artifact URI" in report.refused[1]
    ours = registry.get_version("m", 1)
    assert (ours.artifact_path, ours.stage, ours.aliases) == (
        "s3://ours/1",
        Stage.DEVELOPMENT,
        (),
    )


def test_a_version_that_was_deleted_here_is_not_imported_again(
    bring: Import, alice: User, registry: DatabaseRegistry
) -> None:
    bring(version(1), version(2))
    delete_version(name="m", version=1, actor=Actor(alice, Channel.PAGE), at=NOON)
    report = bring(version(1), version(2))
    assert (report.existing, list(report.refused)) == ((2,), [1])
    assert "deleted in this registry" in report.refused[1]
    assert [v.version for v in registry.get_by_stage(Stage.DEVELOPMENT, "m")] == [2]


def test_a_deleted_models_name_is_free_for_an_import(bring: Import, alice: User) -> None:
    bring(version(1))
    delete_model(name="m", actor=Actor(alice, Channel.PAGE), at=NOON)
    assert bring(version(1)).is_new


def test_a_number_below_the_last_one_here_is_refused(bring: Import) -> None:
    bring(version(5))
    report = bring(version(3), version(6))
    assert report.imported == (6,)
    assert list(report.refused) == [3]
    assert numbers() == [5, 6]


def test_an_alias_of_another_version_here_is_unchanged(
    bring: Import, registry: DatabaseRegistry
) -> None:
    bring(version(1, aliases=("best",)))
    report = bring(version(1), version(2, aliases=("best", "newest")))
    assert report.kept_aliases == (
        "The alias “best” was not moved to v2: in this registry it points to v1.",
    )
    assert registry.get_version("m", 1).aliases == ("best",)
    assert registry.get_version("m", 2).aliases == ("newest",)


@pytest.mark.parametrize(
    "cannot_be",
    [
        {"tags": {"k": "x" * 100_001}},
        {"description": "x" * 100_001},
        {"artifact_path": "s3://m/" + "x" * 5_000},
        {"source_run": "r" * 1_000},
        {"metrics": {"a\x00b": 1.0}},
        {"metrics": {"auc": float("nan")}},
        {"aliases": ("v1",)},
        {"tags": {"k\x00": "v"}},
    ],
)
def test_an_unstorable_version_is_refused_and_the_others_are_imported(
    bring: Import, cannot_be: dict[str, Any]
) -> None:
    report = bring(version(1), replace(version(2, Stage.PRODUCTION), **cannot_be), version(3))
    assert report.imported == (1, 3)
    assert list(report.refused) == [2]
    assert report.refused[2]
    assert numbers() == [1, 3]
    assert differing_rows() == []


def test_inconsistent_times_are_put_in_order(
    bring: Import, new_events: Callable[[], list[AuditEvent]]
) -> None:
    tomorrow, earlier = NOON + timedelta(days=1), LONG_AGO - timedelta(days=9)
    versions = (
        version(1, Stage.ARCHIVED, created_at=LONG_AGO, updated_at=earlier),
        version(2, Stage.STAGING, created_at=earlier, updated_at=tomorrow),
        version(3, created_at=tomorrow, updated_at=tomorrow),
    )
    report = bring(*versions, created_at=tomorrow, clamp_future_times=True)
    assert report.imported == (1, 2, 3)
    said = "is in the future: 2026-03-04 12:00:00+00:00. The time of the import was stored."
    assert report.clamped_times == (
        f"created_at of the model {said}",
        f"updated_at of v2 {said}",
        f"created_at of v3 {said}",
        f"updated_at of v3 {said}",
    )
    events = [event for event in new_events() if event.model]
    times = [event.occurred_at for event in events]
    assert times == sorted(times)
    assert times[-1] == NOON
    assert not any("2026-03-04" in event.canonical_text for event in events)
    assert differing_rows() == []
    assert bring(*versions, clamp_future_times=True).clamped_times == ()


def test_times_in_the_future_are_refused(bring: Import) -> None:
    tomorrow = NOON + timedelta(days=1)
    with pytest.raises(InvalidInput, match="created_at of the model is in the future"):
        bring(version(1), created_at=tomorrow)
    assert not RegisteredModel.objects.exists()
    report = bring(
        version(1, updated_at=NOON + timedelta(microseconds=1)),
        version(2, Stage.PRODUCTION, created_at=tomorrow, updated_at=tomorrow),
        version(3, updated_at=NOON),
    )
    assert (report.imported, list(report.refused), numbers()) == ((3,), [1, 2], [3])
    assert report.refused[2].startswith(
        "created_at of v2 is in the future: 2026-03-04 12:00:00+00:00, now it is 2026-03-03 "
        "12:00:00+00:00. Correct the time."
    )


def unchecked() -> list[int]:
    """Return the marked versions, after comparing the marks with the log."""
    assert differing_rows() == []
    marked = ModelVersion.objects.filter(imported_unchecked=True).order_by("number")
    return list(marked.values_list("number", flat=True))


def test_imported_versions_are_marked_until_they_pass_a_policy(
    bring: Import, registry: DatabaseRegistry
) -> None:
    bring(version(1), *(version(n, Stage.PRODUCTION) for n in (2, 3, 4)), version(5, Stage.STAGING))
    bring(version(6, Stage.ARCHIVED))
    assert unchecked() == [2, 3, 4, 5]
    assert registry.get_version("m", 2).imported_unchecked
    configure_model(name="m", workflow="returns", actor=SYSTEM, at=NOON)
    # Demotions have no check.
    registry.transition_stage("m", 2, Stage.STAGING)
    registry.transition_stage("m", 3, Stage.ARCHIVED)
    registry.transition_stage("m", 5, Stage.DEVELOPMENT)
    registry.transition_stage("m", 1, Stage.STAGING)
    assert unchecked() == [2, 4]
    moves = [registry.get_transitions("m", number)[-1] for number in (1, 2, 3, 4, 5)]
    assert [move.version for move in moves if move.imported_unchecked] == [2, 4]
    assert [transition_from_document(transition_document(move)) for move in moves] == moves
    # Neither a move without a policy nor a rollback whose check failed is a check.
    registry.transition_stage("m", 2, Stage.PRODUCTION)
    assert unchecked() == [2, 4]
    registry.set_policy(PromotionPolicy(Stage.PRODUCTION).require(RequiredDescription()), "m")
    registry.rollback("m", 3, reason="Errors")
    assert unchecked() == [3]
    registry.set_description("m", "A text", version=2)
    registry.rollback("m", 2, reason="Errors")
    assert unchecked() == []
    registry.rollback("m", 4, reason="Errors")
    registry.rollback("m", 2, reason="Errors")
    registry.rollback("m", 4, reason="Errors")
    assert unchecked() == [4]
    ModelVersion.objects.filter(number=1).update(imported_unchecked=True)
    ModelVersion.objects.filter(number=4).update(imported_unchecked=False)
    found = [sentence.partition(", but")[0] for sentence in differing_rows()]
    assert sorted(found) == [
        "m v1: imported_unchecked is true",
        "m v4: imported_unchecked is false",
    ]


@pytest.mark.parametrize(
    "order", [(2, 1), (1, 1), tuple(range(1, VERSIONS_AT_ONCE_MAX + 2))], ids=["back", "twice", "n"]
)
def test_versions_must_be_in_order_unique_and_at_most_500(
    bring: Import, order: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidInput, match="at most 500 versions"):
        bring(*map(version, order))
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize(
    "model",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"description": "x" * 100_001},
        {"tags": {"": "v"}},
        {"origin": "x" * 5_000},
    ],
)
def test_an_invalid_model_is_refused_completely(bring: Import, model: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        bring(version(1), **model)
    assert not RegisteredModel.objects.exists()


def test_importing_requires_its_own_permission(
    bring: Import,
    peter: User,
    anna: User,
    carol: User,
    whole_database: Callable[[], dict[str, list[Any]]],
) -> None:
    carol.user_permissions.add(
        *Permission.objects.filter(codename__in=["administer", "promote", "edit_policy"])
    )
    before = whole_database()
    for person in (peter, anna, carol):
        with pytest.raises(NotAllowed):
            bring(version(1), by=person)
    assert whole_database() == before
