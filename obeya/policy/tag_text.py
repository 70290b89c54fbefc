"""The text form of a tag on one line, with or without a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from obeya import names
from obeya.errors import InvalidInput

_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")(?:\s*=\s*("(?:[^"\\]|\\.)*"))?\Z', re.DOTALL)


def tag_text(key: str, value: str | None, *, equals: str = "=") -> str:
    """Return a tag on one line: ``family=resnet``, or only the key.

    A text that would be parsed differently, such as a key with ``=`` in it, is quoted as in JSON:
    ``"a=b"="c "``.
    """
    plain = key if value is None else f"{key}{equals}{value}"
    # A text with a line break is quoted too.
    if plain.isprintable() and _reads_as(plain, key, value):
        return plain
    parts = (key,) if value is None else (key, value)
    return equals.join(json.dumps(part, ensure_ascii=False) for part in parts)


def read_tag(text: str) -> tuple[str, str | None]:
    """Parse a tag written by `tag_text` or by hand: split at the first unquoted ``=``.

    Raises:
        InvalidInput: the text is not a valid tag.
    """
    key, value = _unquoted(text) or _cut(text)
    if not key:
        raise InvalidInput("Write a tag as key=value, such as family=resnet.", field="tag")
    return (
        _read(names.tag_key, key, field="tag"),
        None if value is None else _read(names.tag_value, value, field="tag"),
    )


def _reads_as(text: str, key: str, value: str | None) -> bool:
    try:
        return read_tag(text) == (key, value)
    except InvalidInput:
        return False


def _unquoted(text: str) -> tuple[str, str | None] | None:
    """Return the parts of a tag in quotes; None if it is not quoted."""
    found = _QUOTED.match(text.strip())
    if found is None:
        return None
    try:
        key, value = (part and json.loads(part, strict=False) for part in found.groups())
    except ValueError:
        return None
    return key.strip(), value


def _cut(text: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    return key.strip(), value.strip() if equals else None


def _read(rule: Callable[[str], str], text: str, *, field: str) -> str:
    """Check a text with one of the functions of `obeya.names` and return its stored form.

    An error has `field` as its field.
    """
    try:
        return rule(text)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=field) from None
