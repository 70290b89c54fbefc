"""Keys that are equal for names that look alike.

The letters come from Unicode's table of confusable characters (UTS #39), in confusables.txt.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache, lru_cache
from importlib import resources

from obeya.look_alikes.characters import without_unseen

# Long names are rare, and metric names and tag keys are checked with every version.
_REMEMBERED = 4_096
STORED_LENGTH = 32

_DIGITS = str.maketrans("10|", "lol")
_ASCII = str.maketrans("I10|", "llol")


def folded(name: str) -> str:
    """Return the name without differences of case, width and white space."""
    visible = without_unseen(unicodedata.normalize("NFKC", name))
    return unicodedata.normalize("NFKC", " ".join(visible.split()).casefold())


@lru_cache(_REMEMBERED)
def look_alike_keys(name: str) -> tuple[str, ...]:
    """Return one or two keys; names that look alike by case, width or script share one.

    Some letters look like two others: ``ν`` like v, and as a capital like N. The first key takes
    the capital of such a letter, the second the letter as it is.
    """
    if name.isascii():
        return (folded(name),)
    letters, capitals = _letters()
    # Normalized, some letters are others that look different: U+03F2 looks like c, and becomes σ.
    as_they_are = without_unseen(name).translate(letters)
    keys = (_shown(folded(name), capitals), _shown(as_they_are, letters))
    return tuple(dict.fromkeys(keys))


@lru_cache(_REMEMBERED)
def wide_keys(name: str) -> tuple[str, ...]:
    """Return wider keys: similar names share one, and so do some names that are not similar."""
    keys = look_alike_keys(name)
    return tuple(dict.fromkeys(with_digits_merged(key.replace("i", "l")) for key in keys))


def stored_keys(name: str) -> tuple[str, ...]:
    """Return the wide keys as they are stored with a name; none for an empty name."""
    return tuple(map(_hashed, wide_keys(name))) if name else ()


def with_ascii_merged(name: str) -> str:
    """Return the name without differences between ASCII letters that look alike: l and 1, O and 0.

    Case and width make no difference either.
    """
    return folded(_merged(unicodedata.normalize("NFKC", name).translate(_ASCII)))


def with_digits_merged(key: str) -> str:
    """Return a key without differences between letters, and digits that look like them."""
    return _merged(key.translate(_DIGITS))


def _merged(text: str) -> str:
    return text.replace("rn", "m")


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:STORED_LENGTH]


def _shown(text: str, letters: dict[int, str]) -> str:
    decomposed = unicodedata.normalize("NFKD", text).translate(letters).casefold()
    return " ".join(unicodedata.normalize("NFKD", decomposed).split())


@cache
def _letters() -> tuple[dict[int, str], dict[int, str]]:
    """Return what each character looks like, and the same for folded text.

    In folded text a letter looks like what its capital looks like.
    """
    table = resources.files("obeya.look_alikes").joinpath("confusables.txt").read_text("utf-8")
    letters = {
        ord(character): looks_like
        for line in table.split("\n")
        if line and not line.startswith("# ")
        for looks_like, characters in [line.split("\t")]
        for character in characters
    }
    capitals = {}
    for code, looks_like in letters.items():
        lower = chr(code).casefold()
        has_lower = len(lower) == 1 and lower != chr(code) and not lower.isascii()
        if has_lower and looks_like.isascii():
            # In Unicode's table the capital I looks like l.
            capitals[ord(lower)] = "i" if looks_like == "l" else looks_like.casefold()
    return letters, letters | capitals
