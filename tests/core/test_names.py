"""Validation of names, tag keys, labels and texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya import names
from obeya.errors import InvalidInput


@pytest.mark.parametrize("text", ["resnet50", "a", "x" * 256, "modèle", "名前", "a b.c_d-e", "v1"])
def test_an_ordinary_model_name_is_accepted(text: str) -> None:
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
def test_an_invalid_name_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as error:
        names.model_name(text)
    assert says in str(error.value)
    assert error.value.field == "name"


def test_a_name_must_be_text() -> None:
    with pytest.raises(InvalidInput, match="must be text"):
        names.model_name(5)  # type: ignore[arg-type]  # what a program may send


def test_two_spellings_of_one_name_are_one_name() -> None:
    assert names.model_name("e\u0301") == names.model_name("é") == "é"


@given(st.text(max_size=300))
def test_an_accepted_name_is_normalised_bounded_and_accepted_again(text: str) -> None:
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
def test_an_alias_contains_letters_digits_hyphens_and_underscores(text: str) -> None:
    assert names.alias(text) == text


@pytest.mark.parametrize("text", ["a b", "a@b", "", "x" * 256])
def test_any_other_alias_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        names.alias(text)


LIMITS = {
    names.model_name: (1, 256),
    names.metric_name: (1, 250),
    names.dataset_name: (0, 250),
    names.label: (0, 64),
    names.tag_key: (1, 250),
    names.tag_value: (0, 100_000),
    names.alias: (1, 255),
    names.artifact_path: (0, 2_048),
    names.source_run: (0, 250),
    names.description: (0, 100_000),
    names.reason: (0, 10_000),
}
each_rule = pytest.mark.parametrize("rule", LIMITS, ids=lambda rule: rule.__name__)


@each_rule
def test_each_rule_accepts_only_texts_within_its_limits(rule: Callable[[str], str]) -> None:
    shortest, longest = LIMITS[rule]
    for length in (shortest, longest):
        assert rule("x" * length) == "x" * length
    with pytest.raises(InvalidInput, match=f"at most {longest:,} characters"):
        rule("x" * (longest + 1))
    if shortest:
        with pytest.raises(InvalidInput, match="cannot be empty"):
            rule("")


@each_rule
@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", b"a", None, 5])
def test_no_rule_accepts_text_that_cannot_be_stored(rule: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        rule(text)
    assert error.value.field


@each_rule
def test_each_rule_normalises_text_to_nfc(rule: Callable[[str], str]) -> None:
    assert rule("re\u0301sume\u0301") == "résumé"


@each_rule
@given(text=st.text(max_size=80))
def test_each_rule_accepts_its_result_unchanged(rule: Callable[[str], str], text: str) -> None:
    try:
        stored = rule(text)
    except InvalidInput:
        return
    assert unicodedata.is_normalized("NFC", stored)
    assert rule(stored) == stored


@pytest.mark.parametrize(
    ("text", "length"),
    [("e\u0301" * 256, 256), ("\u0958" * 128, 256)],
    ids=["letters that are joined", "letters that are taken apart"],
)
def test_the_length_is_measured_after_nfc(text: str, length: int) -> None:
    assert len(names.model_name(text)) == length
    with pytest.raises(InvalidInput, match="256"):
        names.model_name(text + text[:2])


def test_outer_whitespace_is_removed_from_names() -> None:
    assert names.model_name("  resnet 50\t") == "resnet 50"


def test_texts_keep_line_breaks_and_reasons_lose_outer_whitespace() -> None:
    assert names.description("a\n\nb\n") == "a\n\nb\n"
    assert names.tag_value(" a\tb ") == " a\tb "
    assert names.reason("  because\nso  ") == "because\nso"


@given(st.text(max_size=300))
def test_a_name_is_looked_up_in_the_form_in_which_it_is_stored(text: str) -> None:
    try:
        assert names.stored_form(text) == names.model_name(text)
    except InvalidInput:
        # No model is stored under the name that is looked up.
        with pytest.raises(InvalidInput):
            names.model_name(names.stored_form(text))


@pytest.mark.parametrize("text", ["", "  ", "a\x00", "\ud800", "x" * 10_000, None, 5, b"a"])
def test_an_invalid_name_is_looked_up_and_never_found(text: str) -> None:
    assert names.stored_form(text) == ""
