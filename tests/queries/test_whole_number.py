"""Parsing whole numbers within bounds from text."""

from __future__ import annotations

import pytest

from boards.queries.paging.whole_number import ID_MAX, whole_number

pytestmark = pytest.mark.both_engines


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        ("0017", 17),
        ("0" * 5000 + "1", 1),
        ("2147483647", 2**31 - 1),
        ("2147483648", None),
        ("9" * 5000, None),
        ("-1", None),
        ("-0", 0),
        ("", None),
        (" 1", None),
        ("1\n", None),
        ("+1", None),
        ("1_000", None),
        ("1.0", None),
        ("1e3", None),
        ("٣", None),
        ("²", None),
        ("1\x00", None),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_only_digits_within_the_bounds_are_a_number(text, number):
    assert whole_number(text) == number


def test_the_bounds_are_the_callers():
    assert whole_number(str(ID_MAX), at_most=ID_MAX) == ID_MAX
    assert whole_number(str(ID_MAX + 1), at_most=ID_MAX) is None
    assert whole_number("0", at_least=1) is None
    assert whole_number("-12", at_least=-20, at_most=5) == -12
    assert whole_number("-21", at_least=-20, at_most=5) is None
    assert whole_number("6", at_least=-20, at_most=5) is None
