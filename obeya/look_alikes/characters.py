"""Characters that names cannot contain, and texts in which nothing can be seen."""

from __future__ import annotations

import html
import re
import unicodedata

from obeya.errors import InvalidInput

# Default_Ignorable_Code_Point of Unicode, without the characters of category Cf, and three
# characters that have no ink.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
_CHANGES_DIRECTION = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_REASONS = {
    "Cc": "is a control character",
    "Cf": "cannot be seen",
    "Cn": "is not assigned in Unicode",
    "Co": "has no public meaning (private use)",
    "Cs": "is half a character",
    "Zl": "is a line separator",
    "Zp": "is a paragraph separator",
}
# A comment of HTML, also without its end, and a link to nowhere, the usual comment of Markdown.
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK_TO_NOWHERE = re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*(?:#|<#?>)(?:[ \t].*)?$", re.MULTILINE)


def check_characters(name: str, *, what: str, field: str) -> None:
    """Check that every character of a name can be seen, and none changes the order of the others.

    Raises:
        InvalidInput: the name contains a character that cannot be seen, changes the direction of
            text or is not assigned, or begins with a combining mark. It names the character by its
            code point, name and position.
    """
    if name.isascii() and name.isprintable():
        return
    for position, character in enumerate(name, start=1):
        if reason := _reason_against(character, is_first=position == 1):
            raise InvalidInput(
                f"{what} cannot contain {described(character)} (character {position}): it "
                f"{reason}.",
                field=field,
            )


def is_blank(text: str) -> bool:
    """Return whether nothing of a Markdown text can be seen, such as a text with only comments."""
    if text.isascii() and text[:1].isalnum():
        return False
    shown = _LINK_TO_NOWHERE.sub("", _COMMENT.sub("", html.unescape(text)))
    return not any(_has_ink(character) for character in shown)


def without_unseen(text: str) -> str:
    """Return a text without the characters that cannot be seen, except white space."""
    return "".join(
        character
        for character in text
        if not _UNSEEN.match(character) and unicodedata.category(character) != "Cf"
    )


def described(character: str) -> str:
    """Return a character's code point and name: ``U+200B ZERO WIDTH SPACE``."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def _has_ink(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CMZ" and not _UNSEEN.match(character)


def _reason_against(character: str, *, is_first: bool) -> str:
    if character in _CHANGES_DIRECTION:
        return "changes the direction of text"
    if _UNSEEN.match(character):
        return _REASONS["Cf"]
    category = unicodedata.category(character)
    if is_first and category[0] == "M":
        return "needs a character before it"
    return _REASONS.get(category, "")
