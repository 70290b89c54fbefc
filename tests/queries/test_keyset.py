"""Cursors: pages cover every row once, even if rows move between them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import ModelVersion, RegisteredModel
from boards.queries.board.board_columns import PAGE, column_page
from boards.queries.paging.keyset import Cursor
from boards.queries.search.board_filter import BoardFilter
from boards.registry.catalog.registration import register_version
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput
from obeya.records import VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ALL = BoardFilter()


def make_versions(times):
    """Create a model with one version that entered Development at each of the times."""
    model = RegisteredModel.objects.create(
        name="resnet50",
        created_at=NOON,
        updated_at=NOON,
        development_count=len(times),
        last_number=len(times),
    )
    ModelVersion.objects.bulk_create(
        ModelVersion(model=model, number=n, created_at=at, updated_at=at, stage_entered_at=at)
        for n, at in enumerate(times, start=1)
    )
    return model


def numbers_of_all_pages(stage=Stage.DEVELOPMENT, *, between=None):
    numbers, cursor, page = [], None, 0
    while True:
        cards, following = column_page(ALL, stage, cursor)
        assert len(cards) <= PAGE
        numbers += [card.number for card in cards]
        if following is None:
            return numbers
        cursor = Cursor.parse(following)
        page += 1
        if between is not None:
            between(page)


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON + timedelta(microseconds=1),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        NOON.astimezone(timezone.get_fixed_timezone(330)),
    ],
    ids=str,
)
def test_a_cursor_is_parsed_back_equal(moment):
    cursor = Cursor(moment, 2**63 - 1)
    assert Cursor.parse(str(cursor)) == cursor


def test_no_cursor_is_the_first_page():
    assert Cursor.parse("") is None


def read(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def forged(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


TIME = read(str(Cursor(NOON, 1)))[0]


def test_a_hand_written_cursor_is_parsed():
    assert Cursor.parse(forged([TIME, [0, 1]])) == Cursor(datetime(1970, 1, 1, tzinfo=UTC), 1)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "1",
        "1.",
        ".1",
        "1.x",
        "-1.1",
        "1.-1",
        "1.1.1",
        "²3.1",
        f"{10**40}.1",
        f"1.{2**63}",
        "9" * 5_000,
        "1.1\x00",
        " 1.1",
        forged(None),
        forged([]),
        forged(["other", [1, 1]]),
        forged([TIME, [1]]),
        forged([TIME, [-1, 1]]),
        forged([TIME, [1, -1]]),
        forged([TIME, [True, 1]]),
        forged([TIME, [1.0, 1]]),
        forged([TIME, [10**30, 1]]),
        forged([TIME, [1, 2**63]]),
        forged([TIME, [None, 1]]),
    ],
    ids=lambda text: text[:12],
)
def test_a_broken_cursor_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        Cursor.parse(text)
    assert refused.value.field == "after"


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 7])
def test_the_pages_of_a_column_cover_every_version_once_the_latest_first(count, db):
    make_versions([NOON + timedelta(seconds=n) for n in range(count)])
    assert numbers_of_all_pages() == list(range(count, 0, -1))


def test_versions_that_entered_at_the_same_moment_are_each_on_one_page(db):
    times = [NOON + timedelta(microseconds=n // 40) for n in range(3 * PAGE)]
    make_versions(times)
    assert numbers_of_all_pages() == list(range(3 * PAGE, 0, -1))


def test_a_version_that_moves_between_pages_affects_no_other(db):
    make_versions([NOON] * (3 * PAGE))
    for _ in range(3):
        register_version(
            draft=VersionDraft(model="bert"), actor=SYSTEM, at=NOON - timedelta(days=1)
        )

    def move(page):
        # One that was already shown, one on a later page, one that is new.
        for number in (3 * PAGE - page, page):
            transition_stage(
                name="resnet50",
                version=number,
                intent=TransitionIntent(to_stage=Stage.STAGING),
                actor=SYSTEM,
                at=NOON + timedelta(hours=page),
            )
        register_version(
            draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON + timedelta(hours=page)
        )

    numbers = numbers_of_all_pages(between=move)
    assert len(numbers) == len(set(numbers[:-3])) + 3
    assert numbers[-3:] == [3, 2, 1]
    stayed = set(
        ModelVersion.objects.filter(
            model__name="resnet50", stage="development", number__lte=3 * PAGE
        ).values_list("number", flat=True)
    )
    assert stayed <= set(numbers)
    assert numbers_of_all_pages(Stage.STAGING) == sorted(
        numbers_of_all_pages(Stage.STAGING),
        key=lambda n: ModelVersion.objects.get(model__name="resnet50", number=n).stage_entered_at,
        reverse=True,
    )


def test_a_page_continues_after_the_previous_row_even_if_that_row_moved(db):
    make_versions([NOON + timedelta(seconds=n) for n in range(PAGE + 5)])
    first, following = column_page(ALL, Stage.DEVELOPMENT, None)
    transition_stage(
        name="resnet50",
        version=first[-1].number,
        intent=TransitionIntent(to_stage=Stage.ARCHIVED),
        actor=SYSTEM,
        at=NOON + timedelta(days=1),
    )
    second, end = column_page(ALL, Stage.DEVELOPMENT, Cursor.parse(following))
    assert [card.number for card in second] == [5, 4, 3, 2, 1]
    assert end is None
