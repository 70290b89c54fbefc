"""Tags and aliases: each change writes one event, and an unchanged value writes none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import Actor
from boards.models import Alias, ModelTag, ModelVersion, VersionTag
from boards.registry.catalog.catalog import delete_version
from boards.registry.catalog.labels import delete_alias, delete_tag, set_alias, set_tag
from boards.registry.catalog.registration import register_version
from obeya.errors import InvalidInput, NotAllowed, NotFound
from obeya.records import Channel, VersionDraft

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def resnet50(alice):
    for _ in range(2):
        register_version(
            draft=VersionDraft(model="resnet50"), actor=Actor(alice, Channel.CLI), at=NOON
        )


@pytest.fixture
def act(carol):
    """Call a function of the registry as a contributor."""

    def call(function, **arguments):
        arguments = {"name": "resnet50", "actor": Actor(carol, Channel.API), **arguments}
        return function(**arguments, at=LATER)

    return call


def revision(number=1):
    return ModelVersion.objects.get(number=number).revision


@pytest.mark.parametrize(("version", "kind"), [(1, "model_version"), (None, "registered_model")])
def test_a_tag_is_set_replaced_and_removed_with_an_event_each(
    version, kind, act, new_events, carol
):
    act(set_tag, key="family", value="resnet", version=version)
    act(set_tag, key="family", value="", version=version)
    act(delete_tag, key="family", version=version)

    events = new_events()
    assert [event.action for event in events] == [
        f"{kind}.tag_set",
        f"{kind}.tag_set",
        f"{kind}.tag_deleted",
    ]
    assert [event.data for event in events] == [
        {"key": "family", "old": None, "new": "resnet"},
        {"key": "family", "old": "resnet", "new": ""},
        {"key": "family", "old": ""},
    ]
    assert {event.actor for event in events} == {carol}
    assert [event.version.number if event.version else None for event in events] == [version] * 3
    assert revision() == (4 if version else 1)
    assert not VersionTag.objects.exists()
    assert not ModelTag.objects.exists()


@pytest.mark.parametrize("version", [1, None])
def test_the_same_tag_again_writes_nothing(version, act, whole_database):
    act(set_tag, key="family", value="resnet", version=version)
    before = whole_database()
    act(set_tag, key="family", value="resnet", version=version)
    assert whole_database() == before


def test_tags_of_model_and_versions_are_separate(act):
    for version, value in ((None, "model"), (1, "one"), (2, "two")):
        act(set_tag, key="stands on", value=value, version=version)
    assert ModelTag.objects.get().value == "model"
    assert [tag.value for tag in VersionTag.objects.order_by("version__number")] == ["one", "two"]


@pytest.mark.parametrize("version", [1, None])
def test_an_unknown_tag_cannot_be_removed(version, act, whole_database):
    before = whole_database()
    with pytest.raises(NotFound) as refused:
        act(delete_tag, key="family", version=version)
    assert refused.value.what == "tag"
    assert whole_database() == before


def test_an_alias_is_set_moved_and_removed_with_an_event_each(act, new_events):
    act(set_alias, alias="best", version=1)
    act(set_alias, alias="best", version=2)
    act(delete_alias, alias="best")

    events = new_events()
    assert [event.action for event in events] == ["alias.set", "alias.set", "alias.deleted"]
    assert [event.version.number for event in events] == [1, 2, 2]
    assert [event.data for event in events] == [
        {"alias": "best", "old": None},
        {"alias": "best", "old": 1},
        {"alias": "best"},
    ]
    assert not Alias.objects.exists()


def test_the_same_alias_again_writes_nothing(act, whole_database):
    act(set_alias, alias="best", version=1)
    before = whole_database()
    act(set_alias, alias="best", version=1)
    assert whole_database() == before


def test_an_unknown_alias_cannot_be_removed(act, whole_database):
    before = whole_database()
    with pytest.raises(NotFound) as refused:
        act(delete_alias, alias="best")
    assert refused.value.what == "alias"
    assert whole_database() == before


def test_a_deleted_version_takes_its_aliases_with_it(act, alice):
    act(set_alias, alias="best", version=1)
    act(set_alias, alias="stable", version=2)
    delete_version(name="resnet50", version=1, actor=Actor(alice, Channel.API), at=LATER)
    assert [alias.name for alias in Alias.objects.all()] == ["stable"]
    act(set_alias, alias="best", version=2)


@pytest.mark.parametrize("alias", ["latest", "v1", "V22", "a b", "", "é!", "x" * 256])
def test_an_invalid_alias_is_refused(alias, act, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        act(set_alias, alias=alias, version=1)
    assert refused.value.field == "alias"
    assert whole_database() == before


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [("", "x", "key"), ("a\tb", "x", "key"), ("k", "x" * 100_001, "value"), ("k", "\x00", "value")],
    ids=lambda text: str(text)[:10],
)
def test_an_invalid_tag_is_refused(key, value, field, act, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        act(set_tag, key=key, value=value, version=1)
    assert refused.value.field == field
    assert whole_database() == before


@pytest.mark.parametrize("where", [{"name": "nothing"}, {"version": 9}], ids=str)
def test_an_unknown_version_gets_neither_tag_nor_alias(where, act, whole_database):
    before = whole_database()
    with pytest.raises(NotFound):
        act(set_tag, **{"key": "k", "value": "v", "version": 1, **where})
    with pytest.raises(NotFound):
        act(set_alias, **{"alias": "best", "version": 1, **where})
    assert whole_database() == before


def test_a_viewer_cannot_label(act, victor, whole_database):
    before = whole_database()
    viewer = Actor(victor, Channel.API)
    for function, arguments in (
        (set_tag, {"key": "k", "value": "v", "version": 1}),
        (delete_tag, {"key": "k", "version": 1}),
        (set_alias, {"alias": "best", "version": 1}),
        (delete_alias, {"alias": "best"}),
    ):
        with pytest.raises(NotAllowed):
            act(function, **arguments, actor=viewer)
    assert whole_database() == before
