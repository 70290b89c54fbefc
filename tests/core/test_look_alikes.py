"""Characters that names cannot contain, names that look alike, and blank texts."""

from __future__ import annotations

import unicodedata
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya import names
from obeya.errors import InvalidInput, SimilarName
from obeya.look_alikes.characters import check_characters, is_blank
from obeya.look_alikes.keys import stored_keys
from obeya.look_alikes.new_names import NameKind, NewNames, Similarity, similarity
from obeya.policy.requirements import Evidence, Outcome
from obeya.policy.rules import RequiredDescription
from obeya.transitions.requests import comment_required
from tests.offenders import every_case

REFUSED = {
    "a\u200bb": ("U+200B ZERO WIDTH SPACE (character 2)", "cannot be seen"),
    "a\u3164": ("U+3164 HANGUL FILLER (character 2)", "cannot be seen"),
    "\u115fa": ("U+115F HANGUL CHOSEONG FILLER (character 1)", "cannot be seen"),
    "\uffa0": ("U+FFA0 HALFWIDTH HANGUL FILLER (character 1)", "cannot be seen"),
    "a\u00adb": ("U+00AD SOFT HYPHEN (character 2)", "cannot be seen"),
    "a\u034f": ("U+034F COMBINING GRAPHEME JOINER (character 2)", "cannot be seen"),
    "a\u2800": ("U+2800 BRAILLE PATTERN BLANK (character 2)", "cannot be seen"),
    "\u2764\ufe0f": ("U+FE0F VARIATION SELECTOR-16 (character 2)", "cannot be seen"),
    "\u0646\u200c\u0627": ("U+200C ZERO WIDTH NON-JOINER (character 2)", "cannot be seen"),
    "a\U000e0041": ("U+E0041 TAG LATIN CAPITAL LETTER A (character 2)", "cannot be seen"),
    "a\U000e0080": ("U+E0080 (character 2)", "cannot be seen"),
    "a\u202eb": ("U+202E RIGHT-TO-LEFT OVERRIDE (character 2)", "direction of text"),
    "a\u2066": ("U+2066 LEFT-TO-RIGHT ISOLATE (character 2)", "direction of text"),
    "a\u061c": ("U+061C ARABIC LETTER MARK (character 2)", "direction of text"),
    "a\u0378": ("U+0378 (character 2)", "not assigned"),
    "a\uffff": ("U+FFFF (character 2)", "not assigned"),
    "\ue000": ("U+E000 (character 1)", "private use"),
    "\ud800": ("U+D800 (character 1)", "half a character"),
    "\u0301a": ("U+0301 COMBINING ACUTE ACCENT (character 1)", "character before it"),
    "a\x1b": ("U+001B (character 2)", "control character"),
}
ACCEPTED = [
    "resnet-50_v2",
    "a b",
    "modèle",
    "e\u0301",
    "名前",
    "हिन्दी",
    "שלום",
    "العربية",
    "🚀",
    "a\u00a0b",
]


def test_a_refused_character_is_named_by_code_point_name_and_position() -> None:
    with every_case() as case:
        for name, said in REFUSED.items():
            with case(repr(name)), pytest.raises(InvalidInput) as refused:
                check_characters(name, what="A tag key", field="key")
            with case(repr(name)):
                assert refused.value.field == "key"
                assert all(part in str(refused.value) for part in said)


def test_ordinary_characters_of_all_scripts_are_accepted() -> None:
    for name in ACCEPTED:
        check_characters(name, what="A label", field="label")


SAME = [
    ("ResNet", "resnet"),  # case
    ("\uff52esnet", "resnet"),  # full width
    ("stra\u00dfe", "STRASSE"),
    ("\ufb01ne", "fine"),  # a ligature
    ("a\u00a0b", "a  b"),  # white space
    ("resnet\u200b", "resnet"),  # an existing name with a character that is now refused
    ("champio\u043f", "champion"),  # Cyrillic
    ("m\u043ede\u04cf", "model"),
    ("\u0412ERT", "bert"),
    ("B\u0406RD", "bird"),  # the capital I looks like i in small letters, and like l
    ("mode\u0406", "model"),
    ("\u039dLP", "NLP"),  # Greek: a capital that looks like N, whose small letter looks like v
    ("\u03bdan", "van"),
    ("\u0441\u043e\u0440", "cop"),  # all letters Cyrillic
    ("rank\u04cf", "rank1"),
    ("\U0001d5fa\u043e\u0501el", "model"),  # mathematical and Cyrillic
    ("\u03f2hurn", "churn"),  # Greek letters that become another letter when normalized
    ("\u03f9HURN", "churn"),
    ("\u017fraud", "fraud"),
    ("\u01bdales", "sales"),
]
ASCII = [
    ("mode1", "model"),
    ("modeI", "model"),
    ("model-O", "model-0"),
    ("MODEL-O", "model-0"),
    ("rnodel", "model"),
    ("mode\U0001d408", "model"),  # mathematical
    ("\u043c\u043e\u0434\u0435\u043b\u044c1", "\u043c\u043e\u0434\u0435\u043b\u044cl"),
]
DIFFERENT = [
    ("mail", "mall"),
    ("resnet50", "resnet51"),
    ("modèle", "modele"),
    ("\u306f\u306f", "\u3071\u3071"),  # Japanese, only the marks differ
    ("名前", "名訓"),
    ("model", "model"),  # the same name is not a similar one
    ("\u043c\u043e\u0434\u0435\u043b\u044c", "model"),
]


def test_names_are_similar_by_case_width_and_script_and_ascii_letters_are_told_apart() -> None:
    cases = [(SAME, Similarity.SAME), (ASCII, Similarity.ASCII), (DIFFERENT, None)]
    with every_case() as case:
        for pairs, expected in cases:
            for one, other in pairs:
                with case(f"{one!r} {other!r}"):
                    assert similarity(one, other) is similarity(other, one) is expected
                    if expected:
                        assert set(stored_keys(one)) & set(stored_keys(other))


@given(st.text(min_size=1, max_size=12), st.sampled_from([str.upper, str.lower, str.title]))
def test_another_case_is_found_by_the_stored_key(name: str, change: object) -> None:
    name = unicodedata.normalize("NFC", name)
    other = unicodedata.normalize("NFC", change(name))  # type: ignore[operator]  # a method of str
    if similarity(other, name) is not None:
        assert set(stored_keys(name)) & set(stored_keys(other))


def test_every_letter_that_looks_latin_is_found_by_the_stored_keys() -> None:
    offenders = []
    for code in range(0x80, 0x30000):
        if unicodedata.category(chr(code))[0] not in "CZ":
            new = f"a{chr(code)}b"
            offenders += [
                existing
                for existing in (f"a{letter}b" for letter in "abcdefghijklmnopqrstuvwxyz0123456789")
                if similarity(new, existing)
                and set(stored_keys(new)).isdisjoint(stored_keys(existing))
            ]
    assert offenders == []


def test_similar_names_are_found_in_either_order() -> None:
    """Each letter of the table after the text that it looks like, and before it."""
    table = resources.files("obeya.look_alikes").joinpath("confusables.txt").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("# ")]
    offenders, compared = [], 0
    for looks_like, letters in rows:
        for letter in letters:
            pair = f"a{letter}b", f"a{looks_like}b"
            found = []
            for existing, new in (pair, pair[::-1]):
                known = NewNames(NameKind.LABEL, [existing])
                found.append(known.check(new, allow_similar=True) == [existing])
            compared += all(found)
            if len(set(found)) > 1:
                offenders.append(pair)
    assert offenders == []
    assert compared > 2_000


def test_a_similar_name_is_refused_with_the_existing_one_unless_allowed() -> None:
    known = NewNames(NameKind.ALIAS, ["champion", "best"])
    with pytest.raises(SimilarName) as refused:
        known.check("champio\u043f")
    assert refused.value.existing == "champion"
    assert refused.value.field == "alias"
    assert "U+043F CYRILLIC SMALL LETTER PE" in str(refused.value)
    assert known.check("champio\u043f", allow_similar=True) == ["champion"]
    assert known.check("champion") == []


def test_a_similar_name_that_cannot_be_seen_is_not_shown() -> None:
    known = NewNames(NameKind.MODEL, ["secret", "ours1"], is_visible=lambda name: "ours" in name)
    with pytest.raises(SimilarName, match="looks like one that you cannot see") as refused:
        known.check("Secret")
    assert refused.value.existing == ""
    assert "secret" not in str(refused.value)
    with pytest.raises(SimilarName, match="the existing “ours1”"):
        known.check("OURS1")
    similar = known.check("5ecret", allow_similar=True) + known.check("oursl")
    assert known.warning("oursl", similar) == "The model name “oursl” is similar to “ours1”."
    known = NewNames(NameKind.MODEL, ["secretl"], is_visible=lambda _: False)
    assert known.warning("secret1", known.check("secret1")).endswith(
        "is similar to one that you cannot see."
    )


def test_similar_ascii_letters_are_returned_and_new_names_are_compared_with_each_other() -> None:
    known = NewNames(NameKind.METRIC, ["loss1"])
    assert known.check("lossl") == ["loss1"]
    assert known.check("accuracy") == []
    with pytest.raises(SimilarName, match="Accuracy"):
        known.check("Accuracy")


def test_a_name_in_use_next_to_there_is_not_refused() -> None:
    known = NewNames(NameKind.METRIC, ["loss"], is_in_use={"Loss", "x\u200b"}.__contains__)
    assert known.check("Loss") == ["loss"]
    assert known.check("x\u200b") == []


BLANK = [
    "",
    " \n\t",
    "\u3164\u200b",
    "\u2800",
    "\u0301",
    "&nbsp;&#8203;",
    "<!-- TODO -->",
    "<!-- a --> \n<!--\nb -->",
    "<!-- not closed",
    "[//]: # (a comment)",
    "[comment]: <> (a comment)",
]
SHOWN = ["a", ".", "0", "日本", "🚀", "<!-- a --> b", "[a]: https://example.org", "a <!-- b", "- "]


def test_a_text_in_which_nothing_can_be_seen_is_blank() -> None:
    assert [text for text in BLANK if not is_blank(text)] == []
    assert [text for text in SHOWN if is_blank(text)] == []


def test_a_blank_text_is_neither_a_description_nor_a_required_reason() -> None:
    with every_case() as case:
        for text in BLANK:
            with case(repr(text)):
                evidence = Evidence(version=1, description=text)
                outcome = RequiredDescription().check(evidence, None, {})
                assert outcome.outcome is Outcome.MISSING
                with pytest.raises(InvalidInput, match="required"):
                    names.required_reason(text, to="waive a requirement")
                with pytest.raises(InvalidInput, match="required"):
                    comment_required(text)
