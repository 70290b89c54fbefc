"""The board on a past date, compared with a replay of the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, RegisteredModel, User
from boards.queries.audit.as_of import (
    PastBoard,
    PastCard,
    board_as_of,
    column_as_of,
    in_production_on,
    parse_moment,
)
from boards.queries.paging.keyset import Cursor
from boards.queries.search.board_filter import BoardFilter
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import RegistryError, Stage
from obeya.errors import InvalidInput
from obeya.records import MOVES
from tests.examples import examples

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

START = datetime(2026, 3, 3, 12, tzinfo=UTC)
ALL = BoardFilter()


class Clock:
    """A clock that shows the time that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> DatabaseRegistry:
    alice = create_user(username="alice", group="administrator", actor=SYSTEM, at=START)
    return DatabaseRegistry(actor=alice, clock=clock)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def shown(board: PastBoard) -> dict[str, list[str]]:
    return {
        column.stage.value: [f"{card.model} v{card.number}" for card in column.cards]
        for column in board.columns
        if column.cards
    }


# --- Comparison with a replay ---------------------------------------------------------------------

DEEDS = ["register", "register", *["move"] * 5, "delete", "delete model", "rename"]
STEPS = st.lists(
    st.tuples(
        # Often 0: several events at the same time.
        st.sampled_from([0, 0, 1, 60, 3_600]),
        st.sampled_from(
            ["register", "register", *["move"] * 5, "delete", "delete model", "rename"]
        ),
        st.sampled_from("ab"),
        st.integers(1, 3),
        st.sampled_from(list(Stage)),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def play(registry: DatabaseRegistry, clock: Clock, steps: list[tuple[object, ...]]) -> None:
    for seconds, deed, name, number, stage, archive in steps:
        clock.now += timedelta(seconds=seconds)
        try:
            match deed:
                case "register":
                    registry.register_model(name)
                case "move":
                    registry.transition_stage(name, number, stage, archive_existing=archive)
                case "delete":
                    registry.delete_version(name, number)
                case "delete model":
                    registry.delete_model(name)
                case "rename":
                    registry.rename_model(name, f"{name}2")
        except RegistryError:
            continue


def replay(moment: datetime) -> dict[tuple[int, int], tuple[Stage, datetime]]:
    """Return where each version was at a moment, computed in Python from the log."""
    standing: dict[tuple[int, int], tuple[Stage, datetime]] = {}
    for event in AuditEvent.objects.order_by("pk").select_related("version"):
        if event.occurred_at > moment:
            continue
        record = json.loads(event.canonical_text)
        place = (event.model_id, record["version"])
        if event.action in MOVES:
            standing[place] = Stage(record["to_stage"]), event.occurred_at
        elif event.action == "model_version.deleted":
            del standing[place]
        elif event.action == "registered_model.deleted":
            standing = {p: s for p, s in standing.items() if p[0] != event.model_id}
    return standing


def answered(moment: datetime) -> dict[tuple[int, int], tuple[Stage, datetime]]:
    found: dict[tuple[int, int], tuple[Stage, datetime]] = {}
    for column in board_as_of(moment, ALL).columns:
        assert column.count == len(column.cards)
        assert list(column.cards) == sorted(column.cards, key=newest_first)
        for card in column.cards:
            event = AuditEvent.objects.get(pk=card.event)
            assert (event.occurred_at, event.to_stage) == (card.since, column.stage.value)
            found[event.model_id, card.number] = column.stage, card.since
    assert len(found) == board_as_of(moment, ALL).count
    return found


def newest_first(card: PastCard) -> tuple[timedelta, int]:
    return (START - card.since, -card.event)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back everything that the block changes."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS, st.sampled_from(["strict", "open"]), st.lists(st.floats(0, 1), max_size=4))
def test_the_board_of_any_moment_equals_a_replay_of_the_log(
    settings, steps: list[tuple[object, ...]], workflow: str, fractions: list[float]
) -> None:
    settings.OBEYA_WORKFLOW = workflow
    with rolled_back():
        clock = Clock()
        clock.now += timedelta(seconds=1)
        alice = create_user(username="alice", group="administrator", actor=SYSTEM, at=START)
        play(DatabaseRegistry(actor=alice, clock=clock), clock, steps)
        length = clock.now - START
        times = set(AuditEvent.objects.values_list("occurred_at", flat=True))
        moments = {START + length * fraction for fraction in fractions}
        moments |= times | {time - timedelta(microseconds=1) for time in times}
        for moment in moments:
            assert answered(moment) == replay(moment)
        for model in RegisteredModel.objects.filter(deleted_at=None):
            assert_production_agrees(model)


def assert_production_agrees(model: RegisteredModel) -> None:
    """Compare a day's answer with the replay of every moment of that day."""
    day = START.date()
    start = timezone.make_aware(datetime.combine(day, datetime.min.time()))
    times = AuditEvent.objects.filter(occurred_at__lt=start + timedelta(days=1))
    expected = {
        number
        for moment in times.values_list("occurred_at", flat=True)
        for (model_id, number), (stage, _) in replay(moment).items()
        if model_id == model.pk and stage is Stage.PRODUCTION
    }
    stays = in_production_on(model, day)
    # A version that entered and left at the same time counts, but no moment shows it.
    assert expected <= {stay.number for stay in stays}
    assert {s.number for s in stays if s.until is None or s.until > s.since} <= expected


# --- The board ------------------------------------------------------------------------------------


def test_a_version_is_in_the_stage_of_its_last_move(
    registry: DatabaseRegistry, clock: Clock
) -> None:
    registry.register_model("m")
    clock.now = hours(1)
    registry.transition_stage("m", 1, Stage.STAGING)
    clock.now = hours(2)
    registry.register_model("m")
    assert shown(board_as_of(hours(-1), ALL)) == {}
    assert shown(board_as_of(hours(0), ALL)) == {"development": ["m v1"]}
    assert shown(board_as_of(hours(1.5), ALL)) == {"staging": ["m v1"]}
    board = board_as_of(hours(2), ALL)
    assert shown(board) == {"development": ["m v2"], "staging": ["m v1"]}
    card = board.columns[1].cards[0]
    assert (card.actor, card.since, card.is_deleted) == ("alice", hours(1), False)


def test_a_deleted_version_is_absent_afterwards_and_marked_before(
    registry: DatabaseRegistry, clock: Clock
) -> None:
    registry.register_model("m")
    registry.register_model("m")
    registry.register_model("n")
    clock.now = hours(1)
    registry.delete_version("m", 1)
    clock.now = hours(2)
    registry.delete_model("n")
    before = board_as_of(hours(0.5), ALL)
    assert before.count == 3
    assert {f"{c.model} v{c.number}" for c in before.columns[0].cards if c.is_deleted} == {
        "m v1",
        "n v1",
    }
    assert shown(board_as_of(hours(1), ALL)) == {"development": ["n v1", "m v2"]}
    assert shown(board_as_of(hours(2), ALL)) == {"development": ["m v2"]}


def test_a_renamed_model_is_shown_with_its_former_name(
    registry: DatabaseRegistry, clock: Clock
) -> None:
    registry.register_model("first")
    for hour, name in enumerate(("first", "second"), 1):
        clock.now = hours(hour)
        registry.rename_model(name, {"first": "second", "second": "third"}[name])
    names = [board_as_of(hours(h), ALL).columns[0].cards[0].name_then for h in (0.5, 1.5, 2.5)]
    assert names == ["first", "second", ""]


def test_text_and_model_filter_the_past_too(registry: DatabaseRegistry, clock: Clock) -> None:
    registry.register_model("resnet50", label="tv_in1k")
    registry.register_model("resnet50")
    registry.register_model("vit")
    clock.now = hours(1)
    registry.delete_model("vit")
    for board_filter, expected in (
        (BoardFilter(text="resnet v2"), ["resnet50 v2"]),
        (BoardFilter(text="tv_in"), ["resnet50 v1"]),
        (BoardFilter(model="vit"), ["vit v1"]),
        (BoardFilter(model="nothing"), []),
    ):
        board = board_as_of(hours(0.5), board_filter)
        assert list(shown(board).get("development", [])) == expected
        assert board.count == len(expected)


def test_pages_join_without_gap_or_repetition(registry: DatabaseRegistry) -> None:
    # All have the same time, so only the id distinguishes them.
    for _ in range(120):
        registry.register_model("m")
    board = board_as_of(START, ALL)
    column = board.columns[0]
    assert column.count == 120
    numbers, cursor = [card.number for card in column.cards], column.next_cursor
    while cursor:
        cards, cursor = column_as_of(START, ALL, Stage.DEVELOPMENT, Cursor.parse(cursor))
        numbers += [card.number for card in cards]
    assert numbers == list(range(120, 0, -1))


@pytest.mark.parametrize("versions", [1, 60])
def test_the_statements_do_not_grow_with_the_versions(
    versions: int,
    registry: DatabaseRegistry,
    django_assert_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    for number in range(versions):
        registry.register_model(f"m{number}")
        if number % 2:
            registry.transition_stage(f"m{number}", 1, Stage.STAGING)
    with django_assert_num_queries(8):
        board_as_of(START, ALL)
    with django_assert_num_queries(3):
        column_as_of(START, ALL, Stage.DEVELOPMENT, None)


# --- In Production on a day -----------------------------------------------------------------------


def test_a_day_lists_every_version_that_was_in_production(
    registry: DatabaseRegistry, clock: Clock
) -> None:
    for number, day in ((1, 0), (2, 2)):
        clock.now = START + timedelta(days=day)
        registry.register_model("m")
        registry.transition_stage("m", number, Stage.STAGING)
        registry.transition_stage("m", number, Stage.PRODUCTION, archive_existing=True)
    clock.now = START + timedelta(days=4)
    registry.delete_version("m", 2)
    model = RegisteredModel.objects.get()

    def on(day: int) -> list[int]:
        return [stay.number for stay in in_production_on(model, date(2026, 3, day))]

    assert [on(day) for day in range(2, 9)] == [[], [1], [1], [2, 1], [2], [2], []]
    second, first = in_production_on(model, date(2026, 3, 5))
    assert (second.since, second.until) == (START + timedelta(days=2), clock.now)
    assert (first.since, first.until) == (START, START + timedelta(days=2))
    assert (second.actor, second.is_deleted, first.is_deleted) == ("alice", True, False)
    assert AuditEvent.objects.get(pk=first.event).to_stage == "production"


def test_days_are_those_of_the_readers_time_zone(registry: DatabaseRegistry, clock: Clock) -> None:
    clock.now = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    registry.register_model("m")
    registry.transition_stage("m", 1, Stage.STAGING)
    registry.transition_stage("m", 1, Stage.PRODUCTION)
    model = RegisteredModel.objects.get()
    with timezone.override("Europe/Paris"):
        assert not in_production_on(model, date(2026, 3, 3))
    with timezone.override("UTC"):
        assert in_production_on(model, date(2026, 3, 3))


# --- Parsing times --------------------------------------------------------------------------------

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-03T12:00", datetime(2026, 3, 3, 11, tzinfo=UTC)),
        (" 2026-03-03 12:00:30 ", datetime(2026, 3, 3, 11, 0, 30, tzinfo=UTC)),
        ("2026-03-03T12:00:00.5", datetime(2026, 3, 3, 11, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-03", datetime(2026, 3, 3, 22, 59, 59, 999_999, tzinfo=UTC)),
        ("2026-03-05", NOW),
        ("1970-01-01T00:00", datetime(1969, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_the_readers_time_zone(text: str, expected: datetime) -> None:
    with timezone.override("Europe/Paris"):
        assert parse_moment(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yesterday", "is not a date and time"),
        ("2026-02-30T12:00", "is not a date and time"),
        ("2026-03-03T25:00", "is not a date and time"),
        ("20260303T1200", "is not a date and time"),
        ("2026-03-03T12:00+01:00", "is not a date and time"),
        ("0001-01-01T00:00", "is not a date and time"),
        ("9999-12-31T23:59", "is not a date and time"),
        ("٢٠٢٦-03-03T12:00", "is not a date and time"),
        ("2026-03-05T12:01", "in the future"),
        ("2026-03-06", "in the future"),
    ],
)
def test_an_invalid_or_future_time_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parse_moment(text, now=NOW)


def test_an_ambiguous_local_time_is_the_first_one() -> None:
    with timezone.override("Europe/Paris"):
        read = parse_moment("2025-10-26T02:30", now=NOW)
    assert read == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def test_the_actor_system_needs_no_account(clock: Clock) -> None:
    DatabaseRegistry(actor=None, clock=clock).register_model("m")
    assert not User.objects.exists()
    assert board_as_of(START, ALL).columns[0].cards[0].actor == "system"
