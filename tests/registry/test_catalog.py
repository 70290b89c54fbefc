"""Describing, renaming, configuring and deleting models and versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import Actor
from boards.models import Alias, AuditEvent, AuditText, ModelVersion, RegisteredModel
from boards.queries.verification.verification import verify_chains
from boards.registry.catalog.catalog import (
    configure_model,
    delete_model,
    delete_version,
    rename_model,
    set_description,
)
from boards.registry.catalog.labels import set_alias
from boards.registry.catalog.registration import register_version
from boards.registry.transitions.transitions import transition_stage
from obeya.audit.chain import text_digest
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def models(alice):
    """Register resnet50 with three versions and bert with one."""
    for name in ("resnet50", "resnet50", "resnet50", "bert"):
        register_version(draft=VersionDraft(model=name), actor=Actor(alice, Channel.CLI), at=NOON)


@pytest.fixture
def act(alice):
    """Call a function of the registry as an administrator."""

    def call(function, at=LATER, **arguments):
        return function(
            **{"name": "resnet50", "actor": Actor(alice, Channel.PAGE), **arguments}, at=at
        )

    return call


def model(name="resnet50"):
    return RegisteredModel.objects.get(name=name, deleted_at=None)


def counts():
    return tuple(model().count_in(stage) for stage in Stage)


# --- Descriptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "kind"), [(2, "model_version"), (None, "registered_model")])
def test_a_description_is_one_event_with_its_digest(version, kind, act, new_events):
    act(set_description, version=version, text="# Card")

    (event,) = new_events()
    assert event.action == f"{kind}.described"
    assert (event.actor.username, event.channel) == ("alice", "page")
    assert (event.version.number if event.version else None) == version
    assert event.texts.get().text == "# Card"
    assert json.loads(event.canonical_text)["texts"] == {"description": text_digest("# Card")}
    described = ModelVersion.objects.get(number=2) if version else model()
    assert described.description == "# Card"
    assert described.updated_at == LATER
    assert ModelVersion.objects.get(model=model(), number=2).revision == (2 if version else 1)


@pytest.mark.parametrize("version", [2, None])
def test_the_same_description_again_writes_nothing(version, act, whole_database):
    act(set_description, version=version, text="# Card")
    before = whole_database()
    act(set_description, version=version, text="# Card")
    assert whole_database() == before


def test_clearing_a_description_is_an_event(act, new_events):
    act(set_description, text="# Card")
    new_events()
    act(set_description, text="")
    (event,) = new_events()
    assert json.loads(event.canonical_text)["texts"] == {}
    assert model().description == ""


def test_a_description_that_is_too_long_is_refused(act, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput):
        act(set_description, text="x" * 100_001)
    assert whole_database() == before


# --- Names ----------------------------------------------------------------------------------------


def test_a_rename_keeps_id_chain_and_versions_and_frees_the_old_name(act, new_events, alice):
    before = model()
    act(rename_model, new_name="resnet")

    (event,) = new_events()
    assert event.action == "registered_model.renamed"
    assert (event.model_id, event.previous_hash) == (before.pk, before.chain_hash)
    assert dict(event.texts.values_list("role", "text")) == {
        "name": "resnet",
        "previous_name": "resnet50",
    }
    assert "resnet" not in event.canonical_text
    assert (model("resnet").pk, model("resnet").uid) == (before.pk, before.uid)
    assert model("resnet").versions.count() == 3
    assert verify_chains().broken == ()
    fresh = register_version(
        draft=VersionDraft(model="resnet50"), actor=Actor(alice, Channel.CLI), at=LATER
    )
    assert fresh.number == 1


def test_a_rename_to_the_same_name_writes_nothing(act, whole_database):
    before = whole_database()
    act(rename_model, new_name="resnet50")
    assert whole_database() == before


def test_a_rename_to_a_used_name_is_refused(act, whole_database):
    before = whole_database()
    with pytest.raises(AlreadyExists) as refused:
        act(rename_model, new_name="bert")
    assert refused.value.field == "name"
    assert whole_database() == before


def test_a_deleted_models_name_can_be_reused_by_a_rename(act):
    act(delete_model, name="bert")
    act(rename_model, new_name="bert")
    assert model("bert").last_number == 3


@pytest.mark.parametrize("new_name", ["", "a/b", "a:b", ".", "x" * 257, "a\nb"])
def test_an_invalid_name_is_refused(new_name, act, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput):
        act(rename_model, new_name=new_name)
    assert whole_database() == before


# --- Settings -------------------------------------------------------------------------------------


def test_settings_are_one_event_with_old_and_new(act, new_events):
    act(configure_model, workflow="open", headline_metrics=("accuracy", "latency"))

    (event,) = new_events()
    assert event.action == "registered_model.configured"
    assert event.data == {
        "old": {"workflow": "", "headline_metrics": []},
        "new": {"workflow": "open", "headline_metrics": ["accuracy", "latency"]},
    }
    assert (model().workflow, model().headline_metrics) == ("open", ["accuracy", "latency"])


def test_a_setting_that_is_not_given_is_kept(act, new_events):
    act(configure_model, workflow="open", headline_metrics=("accuracy",))
    new_events()
    act(configure_model, workflow="")
    (event,) = new_events()
    assert event.data == {"old": {"workflow": "open"}, "new": {"workflow": ""}}
    assert (model().workflow, model().headline_metrics) == ("", ["accuracy"])


def test_settings_that_change_nothing_write_nothing(act, whole_database):
    act(configure_model, workflow="open")
    before = whole_database()
    act(configure_model, workflow="open")
    act(configure_model)
    assert whole_database() == before


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"workflow": "none"}, "workflow"),
        ({"headline_metrics": ("a", "b", "c")}, "headline_metrics"),
        ({"headline_metrics": ("",)}, "metric"),
    ],
    ids=str,
)
def test_an_invalid_setting_is_refused(settings, field, act, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        act(configure_model, **settings)
    assert refused.value.field == field
    assert whole_database() == before


# --- Deletion -------------------------------------------------------------------------------------


def test_a_deleted_version_is_hidden_and_its_events_stay(act, new_events):
    act(set_alias, alias="best", version=2)
    new_events()
    events = AuditEvent.objects.count()

    act(delete_version, version=2)

    event, removed = new_events()
    assert event.action == "model_version.deleted"
    assert (event.version.number, event.from_stage, event.to_stage) == (2, "development", "")
    assert (removed.action, removed.version.number) == ("alias.deleted", 2)
    assert removed.data == {"alias": "best"}
    assert AuditEvent.objects.count() == events + 2
    assert ModelVersion.objects.get(model=model(), number=2).deleted_at == LATER
    assert not Alias.objects.exists()
    assert counts() == (2, 0, 0, 0)
    assert model().last_number == 3


def test_when_the_champion_is_deleted_its_predecessor_becomes_champion(act):
    for minutes, number in enumerate((2, 1)):
        at = LATER + timedelta(minutes=minutes)
        act(
            transition_stage, version=number, intent=TransitionIntent(to_stage=Stage.STAGING), at=at
        )
        act(
            transition_stage,
            version=number,
            intent=TransitionIntent(to_stage=Stage.PRODUCTION),
            at=at,
        )
    assert model().champion.number == 1
    act(delete_version, version=1)
    assert model().champion.number == 2
    assert Alias.objects.get().version.number == 2
    act(delete_version, version=2)
    assert model().champion is None
    assert not Alias.objects.exists()
    assert counts() == (1, 0, 0, 0)


def test_a_version_can_be_deleted_only_once(act, whole_database):
    act(delete_version, version=2)
    before = whole_database()
    with pytest.raises(NotFound):
        act(delete_version, version=2)
    assert whole_database() == before


def test_a_deleted_model_is_hidden_with_its_versions_and_its_events_stay(act, new_events):
    act(set_alias, alias="best", version=2)
    act(transition_stage, version=1, intent=TransitionIntent(to_stage=Stage.STAGING))
    act(transition_stage, version=1, intent=TransitionIntent(to_stage=Stage.PRODUCTION))
    new_events()
    events, pk = AuditEvent.objects.count(), model().pk

    act(delete_model)

    (event,) = new_events()
    assert (event.action, event.version) == ("registered_model.deleted", None)
    assert event.data == {"aliases": {"best": 2, "champion": 1}}
    assert AuditEvent.objects.count() == events + 1
    hidden = RegisteredModel.objects.get(pk=pk)
    assert hidden.deleted_at == LATER
    assert [hidden.count_in(stage) for stage in Stage] == [0, 0, 0, 0]
    assert hidden.champion is None
    assert not ModelVersion.objects.filter(model=hidden, deleted_at=None).exists()
    assert not Alias.objects.exists()
    assert model("bert").development_count == 1
    assert verify_chains().broken == ()


def test_a_deleted_model_is_not_found(act, whole_database):
    act(delete_model)
    before = whole_database()
    for function, arguments in (
        (delete_model, {}),
        (rename_model, {"new_name": "x"}),
        (configure_model, {"workflow": "open"}),
        (set_description, {"text": "x"}),
        (delete_version, {"version": 1}),
    ):
        with pytest.raises(NotFound):
            act(function, **arguments)
    assert whole_database() == before


def test_deleting_keeps_every_text(act):
    act(set_description, text="# Card", version=1)
    act(delete_model)
    assert AuditText.objects.get(role="description").text == "# Card"


def test_a_promoter_can_neither_rename_nor_configure_nor_delete(act, peter, whole_database):
    before = whole_database()
    for function, arguments in (
        (delete_model, {}),
        (rename_model, {"new_name": "x"}),
        (configure_model, {"workflow": "open"}),
        (delete_version, {"version": 1}),
    ):
        with pytest.raises(NotAllowed) as refused:
            act(function, **arguments, actor=Actor(peter, Channel.PAGE))
        assert refused.value.permission == "administer"
    assert whole_database() == before
