"""The data of the comparison page, from a fixed number of statements."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest

from boards.access.actors import SYSTEM
from boards.queries.compare.compare_page import VersionRef, compare_page, version_offers
from boards.registry.catalog.registration import register_version
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput, NotFound
from obeya.records import VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def refs() -> list[VersionRef]:
    """Register six versions of three models; version 2 of each is the champion."""
    made = []
    for name in ("bert", "resnet50", "whisper"):
        for number in (1, 2):
            register_version(
                draft=VersionDraft(
                    model=name, metrics={"accuracy": 0.5 + number / 10}, tags={"team": "nlp"}
                ),
                actor=SYSTEM,
                at=NOON,
            )
            made.append(VersionRef(name, number))
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            transition_stage(
                name=name, version=2, intent=TransitionIntent(to_stage=stage), actor=SYSTEM, at=NOON
            )
    return made


@pytest.mark.parametrize("count", [1, 2, 6])
def test_the_number_of_statements_is_fixed(
    refs: list[VersionRef],
    django_assert_num_queries: Callable[..., AbstractContextManager[object]],
    count: int,
) -> None:
    with django_assert_num_queries(5):
        page = compare_page(refs[:count])
        assert all(side.version.metrics and side.version.tags for side in page.sides)
    with django_assert_num_queries(2):
        version_offers(refs[:count])


def test_sides_know_their_place_in_the_address_and_which_are_champions(
    refs: list[VersionRef],
) -> None:
    page = compare_page([refs[2], refs[0], refs[1]])
    assert [str(ref) for ref in page.refs] == ["resnet50:2", "resnet50:1", "bert:1", "bert:2"]
    assert page.champion_was_added
    assert [(side.place, side.is_champion) for side in page.sides] == [
        (0, True),
        (1, False),
        (2, False),
        (3, True),
    ]
    page = compare_page([refs[2], refs[0]], baseline=1)
    assert [(side.place, side.is_baseline) for side in page.sides] == [(1, True), (0, False)]
    assert not page.champion_was_added


def test_other_versions_and_champions_are_offered(refs: list[VersionRef]) -> None:
    offered = [str(ref) for ref in version_offers([refs[0]])]
    assert offered[0] == "bert:2"
    assert sorted(offered) == ["bert:2", "resnet50:2", "whisper:2"]


def test_names_are_found_under_every_spelling(refs: list[VersionRef]) -> None:
    register_version(draft=VersionDraft(model="caf\u00e9"), actor=SYSTEM, at=NOON)
    page = compare_page([VersionRef("cafe\u0301", 1), refs[0]])
    assert str(page.refs[0]) == "caf\u00e9:1"


@pytest.mark.parametrize("name", ["none", "x" * 300, "a\x00"])
def test_unknown_versions_are_not_found(refs: list[VersionRef], name: str) -> None:
    with pytest.raises(NotFound):
        compare_page([refs[0], VersionRef(name, 1)])


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("resnet50:17", VersionRef("resnet50", 17)),
        (" resnet50 : v17 ", VersionRef("resnet50", 17)),
        ("resnet50 v17", VersionRef("resnet50", 17)),
        ("a v1 v2", VersionRef("a v1", 2)),
        ("a v1:2", VersionRef("a v1", 2)),
    ],
)
def test_a_version_is_parsed_as_written_in_addresses_and_on_pages(
    text: str, ref: VersionRef
) -> None:
    assert VersionRef.parse(text) == ref


@pytest.mark.parametrize("text", ["", "a", ":1", "a:", "a:x", "v1", "a:1.5", "a:-1", "a:٣"])
def test_an_invalid_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        VersionRef.parse(text)
