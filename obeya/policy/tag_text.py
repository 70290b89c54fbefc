"""A tag as people write it on one line, where any value will do or one value is meant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from obeya import names
from obeya.errors import InvalidInput

_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")(?:\s*=\s*("(?:[^"\\]|\\.)*"))?\Z', re.DOTALL)


def tag_text(key: str, value: str | None, *, equals: str = "=") -> str:
    """A tag on one line: ``family=resnet``, or the key alone.

    What would be read otherwise, such as a key with ``=`` in it, is put in quotes, as in JSON:
    ``"a=b"="c "``.
    """
    plain = key if value is None else f"{key}{equals}{value}"
    # It stays on its line.
    if plain.isprintable() and _reads_as(plain, key, value):
        return plain
    parts = (key,) if value is None else (key, value)
    return equals.join(json.dumps(part, ensure_ascii=False) for part in parts)


def read_tag(text: str) -> tuple[str, str | None]:
    """Read what `tag_text` wrote, or a person: cut at the first ``=`` that is not in quotes.

    Raises:
        InvalidInput: it names no tag that could be.
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
    """The parts of a tag that stands in quotes; None where it does not."""
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
    """The text as one of the rules of `obeya.names` stores it; a refusal names `field`."""
    try:
        return rule(text)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=field) from None
