"""What may be a name, a key, a label or a text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya import names
from obeya.errors import InvalidInput


@pytest.mark.parametrize("text", ["resnet50", "a", "x" * 256, "modèle", "名前", "a b.c_d-e", "v1"])
def test_a_model_may_have_an_ordinary_name(text: str) -> None:
    assert names.model_name(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 257, "256"),
        ("x" * 10_000, "10,000"),
        ("a/b", "/"),
        ("a:b", ":"),
        (".", "cannot be named"),
        ("..", "cannot be named"),
        ("a\nb", "control"),
        ("a\x07b", "control"),
        ("a\x00b", "cannot be stored"),
        ("a\u2028b", "control"),
        ("a\ud800b", "cannot be stored"),
    ],
)
def test_a_name_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as error:
        names.model_name(text)
    assert says in str(error.value)
    assert error.value.field == "name"


def test_no_text_is_no_name() -> None:
    with pytest.raises(InvalidInput, match="must be text"):
        names.model_name(5)  # type: ignore[arg-type]  # what a program may send


def test_two_spellings_of_one_name_are_one_name() -> None:
    assert names.model_name("e\u0301") == names.model_name("é") == "é"


@given(st.text(max_size=300))
def test_a_name_that_is_taken_is_normal_bounded_and_taken_again(text: str) -> None:
    try:
        name = names.model_name(text)
    except InvalidInput:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert 1 <= len(name) <= 256
    assert names.model_name(name) == name


@pytest.mark.parametrize("text", ["latest", "LATEST", "v1", "V12"])
def test_reserved_aliases_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="reserved"):
        names.alias(text)


@pytest.mark.parametrize("text", ["champion", "blue-green_2", "v1a", "x" * 255])
def test_an_alias_is_of_letters_digits_and_lines(text: str) -> None:
    assert names.alias(text) == text


@pytest.mark.parametrize("text", ["a b", "a@b", "", "x" * 256])
def test_any_other_alias_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        names.alias(text)


def test_a_label_may_be_empty_and_has_64_characters_at_most() -> None:
    assert names.label("") == ""
    assert names.label("x" * 64) == "x" * 64
    with pytest.raises(InvalidInput):
        names.label("x" * 65)


def test_texts_keep_their_lines_and_a_reason_loses_its_outer_blanks() -> None:
    assert names.description("a\n\nb") == "a\n\nb"
    assert names.reason("  because\nso  ") == "because\nso"
    with pytest.raises(InvalidInput):
        names.reason("x" * 10_001)
