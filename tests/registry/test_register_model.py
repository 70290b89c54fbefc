"""Registering versions: numbers, labels, events and refusals."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, Metric, ModelVersion, RegisteredModel, VersionTag
from boards.queries.verification.verification import verify_chains
from boards.registry.catalog.catalog import delete_model, delete_version
from boards.registry.catalog.registration import create_model, register_version
from obeya import metrics as core
from obeya.audit.chain import GENESIS
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed
from obeya.records import Channel, VersionDraft

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def register(alice):
    def make(name="resnet50", *, by=alice, at=NOON, **more):
        return register_version(
            draft=VersionDraft(model=name, **more), actor=Actor(by, Channel.API), at=at
        )

    return make


def model(name="resnet50"):
    return RegisteredModel.objects.get(name=name, deleted_at=None)


def test_the_first_version_creates_the_model_and_both_are_events_of_its_chain(register, new_events):
    row = register(
        label="1.0.0",
        metrics={"accuracy": 0.9, "top1": core.Metric("top1", 80.1, samples=50_000)},
        tags={"family": "resnet"},
        artifact_path="s3://models/resnet50",
        source_run="run-7",
        description="A first try.",
    )

    made, registered = new_events()
    assert made.action == "registered_model.registered"
    assert made.texts.get(role="name").text == "resnet50"
    assert (made.sequence, made.previous_hash) == (1, GENESIS)
    assert registered.action == "model_version.registered"
    assert (registered.version, registered.from_stage, registered.to_stage) == (
        row,
        "",
        "development",
    )
    assert registered.actor.username == "alice"
    assert registered.channel == "api"
    assert registered.occurred_at == row.created_at == row.stage_entered_at == NOON
    assert registered.data == {
        "label": "1.0.0",
        "artifact_uri": "s3://models/resnet50",
        "artifact_digest": "",
        "source_run": "run-7",
        "metrics": {"accuracy": {"value": 0.9}, "top1": {"value": 80.1, "samples": 50_000}},
        "tags": {"family": "resnet"},
    }
    assert registered.texts.get(role="description").text == "A first try."
    assert (row.number, row.stage, row.revision, row.label) == (1, "development", 1, "1.0.0")
    assert model().owner == row.owner == registered.actor
    assert (model().last_number, model().development_count) == (1, 1)
    assert Metric.objects.get(version=row, name="top1").samples == 50_000
    assert VersionTag.objects.get(version=row).value == "resnet"


def test_the_next_version_is_one_event(register, new_events):
    register()
    new_events()
    assert register().number == 2
    assert [event.action for event in new_events()] == ["model_version.registered"]
    assert model().development_count == 2


def test_a_number_can_be_given_and_the_next_one_follows_it(register):
    assert register(version=7).number == 7
    assert register().number == 8


@pytest.mark.parametrize("number", [3, 7])
def test_a_skipped_number_cannot_be_used_later(number, register, whole_database):
    register(version=7)
    before = whole_database()
    with pytest.raises(AlreadyExists) as refused:
        register(version=number)
    assert refused.value.field == "version"
    assert whole_database() == before


def test_the_number_of_a_deleted_version_is_never_reused(register, alice):
    register()
    delete_version(name="resnet50", version=1, actor=Actor(alice, Channel.API), at=NOON)
    with pytest.raises(AlreadyExists):
        register(version=1)
    assert register().number == 2


def test_a_label_is_unique_among_the_models_existing_versions(register, alice, whole_database):
    register(label="1.0")
    register("bert", label="1.0")
    before = whole_database()
    with pytest.raises(AlreadyExists) as refused:
        register(label="1.0")
    assert refused.value.field == "label"
    assert whole_database() == before
    delete_version(name="resnet50", version=1, actor=Actor(alice, Channel.API), at=NOON)
    assert register(label="1.0").number == 2


def test_a_deleted_models_name_can_be_reused_by_a_model_with_a_new_chain(register, alice):
    old = register().model
    delete_model(name="resnet50", actor=Actor(alice, Channel.API), at=NOON)
    new = register()
    assert new.number == 1
    assert (new.model.pk, new.model.uid) != (old.pk, old.uid)
    assert AuditEvent.objects.filter(model=new.model).count() == 2
    assert AuditEvent.objects.filter(model=old).count() == 3
    assert verify_chains().broken == ()


def test_names_that_differ_only_in_their_unicode_form_are_one_name(register):
    register("caf\u00e9")
    assert register("cafe\u0301").number == 2


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"label": "x" * 65}, "label"),
        ({"artifact_path": "x" * 2_049}, "artifact_path"),
        ({"source_run": "a\nb"}, "source_run"),
        ({"description": "\x00"}, "description"),
        ({"tags": {"": "x"}}, "key"),
        ({"metrics": {"accuracy": math.nan}}, "metric"),
        ({"metrics": {"accuracy": math.inf}}, "metric"),
        ({"metrics": {"accuracy": "0.9"}}, "metric"),
        ({"metrics": {f"m{n}": 0.0 for n in range(1_001)}}, "metrics"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_field_is_named_and_leaves_nothing(more, field, register, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        register(**more)
    assert refused.value.field == field
    assert whole_database() == before


def test_a_refused_first_version_leaves_no_model_behind(register, victor):
    with pytest.raises(NotAllowed):
        register(by=victor)
    with pytest.raises(InvalidInput):
        register(metrics={"accuracy": math.nan})
    assert not RegisteredModel.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_version_registered_by_the_registry_itself_has_no_owner(db):
    row = register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON)
    assert row.owner is None
    assert row.model.owner is None


def test_imported_times_are_kept_but_never_go_back(register):
    register(at=NOON)
    past = NOON - timedelta(days=30)
    assert register(at=past).created_at == NOON
    assert register("bert", at=past).created_at == past


def test_a_thousand_metrics_fit_in_one_version(register):
    row = register(metrics={f"metric {n}": n / 7 for n in range(1_000)})
    assert row.metrics.count() == 1_000
    assert ModelVersion.objects.count() == 1


# --- A model without a version --------------------------------------------------------------------


def test_a_model_can_exist_before_its_first_version(alice, register, new_events):
    made = create_model(
        name="new",
        description="To be *trained*",
        tags={"team": "crm"},
        actor=Actor(alice, Channel.API),
        at=NOON,
    )
    assert [event.action for event in new_events()] == [
        "registered_model.registered",
        "registered_model.described",
        "registered_model.tag_set",
    ]
    assert (made.description, made.owner, made.last_number) == ("To be *trained*", alice, 0)
    assert register("new").number == 1
    assert [event.action for event in new_events()] == ["model_version.registered"]


def test_a_model_is_created_once_and_its_name_is_free_after_deletion(alice, whole_database):
    actor = Actor(alice, Channel.API)
    create_model(name="new", actor=actor, at=NOON)
    before = whole_database()
    with pytest.raises(AlreadyExists, match="A model named “new” already exists"):
        create_model(name="new", tags={"a": "b"}, actor=actor, at=NOON)
    assert whole_database() == before
    delete_model(name="new", actor=actor, at=NOON)
    assert create_model(name="new", actor=actor, at=NOON).last_number == 0


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "a/b"}, {"tags": {"": "v"}}, {"description": "x" * 100_001}],
)
def test_an_invalid_model_is_not_created(alice, wrong):
    with pytest.raises(InvalidInput):
        create_model(**{"name": "new", **wrong}, actor=Actor(alice, Channel.API), at=NOON)
    assert not RegisteredModel.objects.exists()


def test_creating_a_model_requires_a_contributor(victor):
    with pytest.raises(NotAllowed):
        create_model(name="new", actor=Actor(victor, Channel.API), at=NOON)
    assert not RegisteredModel.objects.exists()
