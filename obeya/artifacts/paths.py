"""Validation of file paths within an artifact, the same for every interface."""

from __future__ import annotations

import re
import unicodedata

from obeya.errors import InvalidInput

PATH_MAX = 500
PART_MAX = 255

# Characters that some system interprets as more than a part of a name, in whatever way the path
# arrived: drives, streams, parameter separators, wildcards, and escapes that could be resolved a
# second time.
_MEANT_OTHERWISE = re.compile(r'[\\:*?"<>|;#%]')


def artifact_path(text: str) -> str:
    """Check a path relative to the artifact and return it in NFC.

    It consists of names joined by ``/``, with at most 500 characters.

    Raises:
        InvalidInput: it is empty, absolute, climbs (``..``), or contains a character that some
            system does not interpret as part of a name.
    """
    if not isinstance(text, str):
        raise InvalidInput("A file path must be text.", field="path")
    if len(text) > 4 * PATH_MAX:
        raise _refused(text, f"it has {len(text):,} characters; the limit is {PATH_MAX:,}")
    path = unicodedata.normalize("NFC", text)
    if not path:
        raise InvalidInput("A file path cannot be empty.", field="path")
    if len(path) > PATH_MAX:
        raise _refused(text, f"it has {len(path):,} characters; the limit is {PATH_MAX:,}")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in path):
        raise _refused(text, "it contains invisible characters")
    if found := _MEANT_OTHERWISE.search(path):
        raise _refused(text, f"it contains “{found[0]}”, which is not allowed")
    for part in path.split("/"):
        if wrong := _wrong_with(part):
            raise _refused(text, wrong)
    return path


def _wrong_with(part: str) -> str:
    if part in ("", ".", ".."):
        return "each part between slashes must be a name"
    if len(part.encode()) > PART_MAX:
        return f"a name in it is longer than {PART_MAX} bytes"
    if part != part.strip() or part.endswith("."):
        return "a name in it begins or ends with a space, or ends with a dot"
    return ""


_UNPRINTABLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def _refused(text: str, why: str) -> InvalidInput:
    shown = text[:64].encode("unicode_escape").decode() if not text.isprintable() else text[:64]
    return InvalidInput(f"“{shown}” is not a valid file path: {why}.", field="path")
