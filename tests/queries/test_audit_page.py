"""The audit log page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.models import RegisteredModel, User
from boards.queries.audit.audit_filter import AuditFilter
from boards.queries.audit.audit_page import AuditPage, audit_page, scope_of
from boards.queries.paging.keyset import Cursor
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Stage
from obeya.errors import InvalidInput
from obeya.records import Action, Channel

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

START = datetime(2026, 3, 3, 12, tzinfo=UTC)


class Clock:
    """A clock that advances an hour whenever it is read."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(hours=1)
        return self.now


@pytest.fixture
def alice() -> User:
    return create_user(username="alice", group="administrator", actor=SYSTEM, at=START)


@pytest.fixture
def registry(alice: User) -> DatabaseRegistry:
    return DatabaseRegistry(actor=Actor(alice, Channel.CLI), clock=Clock())


def parse(**fields: str) -> AuditFilter:
    chosen, problems = AuditFilter.parse(fields)
    assert not problems
    return chosen


def actions(page: AuditPage) -> list[Action]:
    return [event.action for event in page.events]


@pytest.mark.parametrize("events", [1, 200])
def test_a_page_takes_the_same_statements_for_1_and_for_200_events(
    events: int,
    registry: DatabaseRegistry,
    alice: User,
    django_assert_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    registry.register_model("m")
    for number in range(events):
        registry.set_description("m", f"text {number}", 1)
    create_user(username="carol", group="viewer", actor=SYSTEM, at=timezone.now())
    with django_assert_num_queries(3):
        page = audit_page(AuditFilter())
    assert len(page.events) == min(events + 4, 50)
    assert page.events[0].about == "carol"
    with django_assert_num_queries(5):
        audit_page(parse(actor="alice", model="m", version="1", channel="cli"))


def test_pages_join_without_gap_or_repetition(registry: DatabaseRegistry) -> None:
    # All have the same time, so only the id distinguishes them.
    still = DatabaseRegistry(actor=None, clock=lambda: START)
    for number in range(120):
        still.register_model(f"m{number % 7}")
    seen: list[int] = []
    cursor: Cursor | None = None
    while True:
        page = audit_page(AuditFilter(), None, cursor)
        seen += [event.pk for event in page.events]
        if page.next_cursor is None:
            break
        cursor = Cursor.parse(page.next_cursor)
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 120 + 7 + 1


def test_the_newest_event_is_first_and_complete(registry: DatabaseRegistry) -> None:
    registry.register_model("m")
    registry.transition_stage("m", 1, Stage.STAGING, reason="Why not")
    event = audit_page(AuditFilter()).events[0]
    assert event.action is Action.STAGE_TRANSITIONED
    assert (event.model, event.number, event.actor) == ("m", 1, "alice")
    assert (event.from_stage, event.to_stage) == (Stage.DEVELOPMENT, Stage.STAGING)
    assert event.reason == "Why not"
    assert event.channel is Channel.CLI
    assert event.sequence == 3
    assert len(event.short_hash) == 8


def test_each_filter_matches_its_events(registry: DatabaseRegistry) -> None:
    registry.register_model("m")
    registry.register_model("m")
    registry.register_model("n")
    registry.transition_stage("m", 2, Stage.STAGING)
    DatabaseRegistry(actor=SYSTEM).register_model("s")
    assert actions(audit_page(parse(stage="staging"))) == [Action.STAGE_TRANSITIONED]
    assert len(audit_page(parse(model="m")).events) == 4
    assert len(audit_page(parse(model="m", version="2")).events) == 2
    assert len(audit_page(parse(actor="alice")).events) == 6
    assert len(audit_page(parse(actor="system")).events) == 3
    assert len(audit_page(parse(channel="cli")).events) == 6
    assert actions(audit_page(parse(action="user.created"))) == [Action.USER_CREATED]
    assert len(audit_page(parse(actor="alice", model="n", stage="development")).events) == 1


def test_a_stage_filter_matches_both_sides_or_one(registry: DatabaseRegistry) -> None:
    registry.register_model("m")
    registry.transition_stage("m", 1, Stage.STAGING)
    registry.transition_stage("m", 1, Stage.PRODUCTION)
    registry.transition_stage("m", 1, Stage.ARCHIVED)

    def moves(**fields: str) -> list[tuple[Stage | None, Stage | None]]:
        return [(e.from_stage, e.to_stage) for e in audit_page(parse(**fields)).events]

    into, out_of = (Stage.DEVELOPMENT, Stage.STAGING), (Stage.STAGING, Stage.PRODUCTION)
    assert moves(stage="staging") == [out_of, into]
    assert moves(stage="staging", side="into") == [into]
    assert moves(stage="staging", side="out_of") == [out_of]
    assert moves(stage="development") == [into, (None, Stage.DEVELOPMENT)]


def test_pages_of_a_stage_on_either_side_join_without_gap_or_repetition(
    registry: DatabaseRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boards.queries.audit.audit_page.PAGE", 4)
    still = DatabaseRegistry(actor=None, clock=lambda: START)
    for number in range(1, 8):
        still.register_model("m")
        still.transition_stage("m", number, Stage.STAGING)
        still.transition_stage("m", number, Stage.ARCHIVED)
    seen: list[int] = []
    cursor: Cursor | None = None
    while True:
        page = audit_page(parse(stage="staging"), None, cursor)
        seen += [event.pk for event in page.events]
        if page.next_cursor is None:
            break
        cursor = Cursor.parse(page.next_cursor)
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 14


def test_days_are_in_the_servers_time_zone() -> None:
    late = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    DatabaseRegistry(actor=None, clock=lambda: late).register_model("m")
    with timezone.override("Europe/Paris"):
        assert audit_page(parse(since="2026-03-04", until="2026-03-04")).events
        assert not audit_page(parse(until="2026-03-03")).events
    with timezone.override("UTC"):
        assert audit_page(parse(since="2026-03-03", until="2026-03-03")).events
        assert not audit_page(parse(since="2026-03-04")).events


def test_a_filter_is_parsed_or_explained() -> None:
    chosen, problems = AuditFilter.parse({"since": "2026-03-01", "until": " ", "version": "x"})
    assert chosen == AuditFilter(since=date(2026, 3, 1))
    assert problems == {"version": "“x” is not a version number. Write it like 4."}


def test_a_filter_with_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no account"):
        audit_page(AuditFilter(actor="nobody"))


def test_a_reused_name_shows_both_models_and_the_history_of_the_current_one(
    registry: DatabaseRegistry,
) -> None:
    registry.register_model("m")
    registry.delete_model("m")
    registry.register_model("m")
    assert [e.model_is_deleted for e in audit_page(parse(model="m")).events] == [
        False,
        False,
        True,
        True,
        True,
    ]
    living = RegisteredModel.objects.get(deleted_at=None)
    assert scope_of("m").model_pk == living.pk
    assert len(audit_page(AuditFilter(), scope_of("m")).events) == 2
    registry.delete_version("m", 1)
    scope = scope_of("m", 1)
    assert scope.is_deleted
    assert not scope.model_is_deleted
    assert len(audit_page(AuditFilter(), scope).events) == 2


def test_long_texts_and_many_values_are_cut(registry: DatabaseRegistry) -> None:
    registry.register_model("m", metrics={f"m{n}": n for n in range(100)}, tags={"t": "x" * 9_999})
    registry.transition_stage("m", 1, Stage.STAGING, reason="y" * 9_999)
    moved, registered = audit_page(AuditFilter()).events[:2]
    assert len(moved.reason) == 2_001
    assert len(registered.details) == 60
    assert registered.details_left_out == 41
