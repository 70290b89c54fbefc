"""Chain heads that were stored outside the registry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.audit.chain import GENESIS
from obeya.audit.heads import ChainHead, heads_as_json, read_heads
from obeya.errors import InvalidInput

A = ChainHead("5f0c0e57-3a3b-4e0c-9a44-0d6f1d0a7b11", 3, "a" * 64, "résumé ranker (v2)")
SITE = ChainHead("a3c1b6f2-8d0e-4f57-9a55-2f1c7c2f9e01", 12, "b" * 64)
EMPTY = ChainHead("0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77", 0, GENESIS, "new")


def test_a_head_is_one_line() -> None:
    assert str(A) == f"{A.chain} 3 {'a' * 64} résumé ranker (v2)"
    assert str(SITE).endswith("(the site)")


def test_printed_heads_are_read_in_both_forms() -> None:
    heads = (A, SITE, EMPTY)
    assert read_heads("\n".join(map(str, heads))) == heads
    assert read_heads(heads_as_json(heads)) == heads


def test_several_stored_heads_are_all_read() -> None:
    text = f"# Monday\n{A}\n\n# Tuesday\n{A.chain} 5 {'c' * 64}\n"
    assert [head.length for head in read_heads(text)] == [3, 5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no heads"),
        ("[]", "no heads"),
        ("rubbish", "Line 1"),
        (f"{A}\nrubbish", "Line 2"),
        (f"{A.chain} three {'a' * 64}", "Line 1"),
        (f"{A.chain} 3 {'A' * 64}", "Line 1"),
        (f"{A.chain} 0 {'a' * 64}", "64 zeros"),
        (f"{A.chain} {'9' * 19} {'a' * 64}", "out of range"),
        ("[rubbish", "are not"),
        ("[1]", "Head 1"),
        ('[{"chain": "x", "length": true, "hash": "' + "a" * 64 + '"}]', "Head 1"),
        ('[{"chain": "x", "length": -1, "hash": "' + "a" * 64 + '"}]', "out of range"),
    ],
)
def test_an_invalid_head_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_heads(text)


@given(st.text(max_size=80) | st.text(max_size=40).map(lambda text: f"[{text}"))
def test_any_text_is_read_or_refused_with_a_message(text: str) -> None:
    try:
        read_heads(text)
    except InvalidInput:
        return
