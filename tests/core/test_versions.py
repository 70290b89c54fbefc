"""Version numbers, expected state, and the next stage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import AlreadyExists, InvalidInput
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.transitions.versions import check_expected, next_number, next_stage
from obeya.values import NUMBER_MAX


def test_the_next_number_is_one_more_than_the_last() -> None:
    assert next_number(0, None, name="m", taken=()) == 1
    assert next_number(7, None, name="m", taken=(1, 7)) == 8


def test_a_number_above_all_others_can_be_requested() -> None:
    assert next_number(7, 12, name="m", taken=(7,)) == 12
    assert next_number(0, NUMBER_MAX, name="m", taken=()) == NUMBER_MAX


@pytest.mark.parametrize(
    ("wanted", "says"), [(7, "already exists"), (5, "the next is 8"), (1, "the next is 8")]
)
def test_a_used_number_is_not_assigned_again(wanted: int, says: str) -> None:
    with pytest.raises(AlreadyExists, match=says) as error:
        next_number(7, wanted, name="m", taken=(7,))
    assert error.value.field == "version"


def test_there_is_no_number_after_the_largest() -> None:
    assert next_number(NUMBER_MAX - 1, None, name="m", taken=()) == NUMBER_MAX
    with pytest.raises(InvalidInput, match="no version numbers left"):
        next_number(NUMBER_MAX, None, name="m", taken=())


@given(st.lists(st.none() | st.integers(1, 60), max_size=40))
def test_numbers_only_grow(wishes: list[int | None]) -> None:
    given_out: list[int] = []
    for wanted in wishes:
        last = given_out[-1] if given_out else 0
        try:
            number = next_number(last, wanted, name="m", taken=given_out)
        except AlreadyExists:
            assert wanted is not None
            assert wanted <= last
            continue
        assert number > last
        assert number == (last + 1 if wanted is None else wanted)
        given_out.append(number)


def test_the_next_stage_ends_in_production() -> None:
    assert next_stage(Stage.DEVELOPMENT) is Stage.STAGING
    assert next_stage(Stage.STAGING) is Stage.PRODUCTION
    for last in (Stage.PRODUCTION, Stage.ARCHIVED):
        with pytest.raises(InvalidInput, match=f"no next stage after {last.label}") as error:
            next_stage(last)
        assert error.value.field == "to_stage"


def expect(stage: Any = None, revision: int | None = None) -> None:
    check_expected(
        "m v1",
        stage=Stage.STAGING,
        revision=3,
        expected_stage=stage,
        expected_revision=revision,
    )


@pytest.mark.parametrize(
    "seen", [{}, {"stage": Stage.STAGING}, {"stage": "Staging"}, {"revision": 3}]
)
def test_a_current_or_unstated_expectation_is_accepted(seen: dict[str, Any]) -> None:
    expect(**seen)


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ({"stage": Stage.DEVELOPMENT}, "m v1 is in Staging, not in Development."),
        ({"stage": "archived"}, "m v1 is in Staging, not in Archived."),
        (
            {"revision": 2},
            "m v1 was changed in the meantime: it is at revision 3, not 2.",
        ),
        ({"revision": 0}, "m v1 was changed in the meantime: it is at revision 3, not 0."),
        ({"stage": Stage.DEVELOPMENT, "revision": 3}, "m v1 is in Staging, not in Development."),
    ],
)
def test_a_stale_expectation_is_refused_with_the_current_state(
    seen: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Conflict) as conflict:
        expect(**seen)
    assert str(conflict.value) == sentence
    assert (conflict.value.stage, conflict.value.revision) == (Stage.STAGING, 3)


def test_an_expectation_of_an_unknown_stage_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is not a stage"):
        expect(stage="somewhere")
