"""The check of names that do not exist yet.

Names that exist already are not checked again: they can be used, whatever they contain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from enum import Enum
from typing import Any

from obeya.errors import InvalidInput, SimilarName
from obeya.look_alikes.characters import check_characters, described
from obeya.look_alikes.keys import (
    folded,
    look_alike_keys,
    wide_keys,
    with_ascii_merged,
    with_digits_merged,
)


class SimilarNameWarning(UserWarning):
    """A new name is similar to another one; it was stored."""


class Similarity(Enum):
    """How similar two names are: `ASCII` names differ only in letters such as l and 1."""

    ASCII = "ascii"
    SAME = "same"


class NameKind(Enum):
    """What a name is the name of, with the field of its errors."""

    MODEL = ("model name", "name")
    LABEL = ("label", "label")
    ALIAS = ("alias", "alias")
    TAG_KEY = ("tag key", "key")
    METRIC = ("metric name", "metric")
    ENDPOINT = ("endpoint name", "name")
    TOKEN = ("token name", "name")
    ACCOUNT = ("account name", "username")

    @property
    def noun(self) -> str:
        """The kind in words: ``tag key``."""
        noun: str = self.value[0]
        return noun

    @property
    def subject(self) -> str:
        """The kind as the subject of a sentence: ``A tag key``."""
        return f"{'An' if self.noun[0] in 'aeiou' else 'A'} {self.noun}"

    @property
    def field(self) -> str:
        """The field that errors name."""
        field: str = self.value[1]
        return field


def similarity(new: str, existing: str) -> Similarity | None:
    """Return how similar two different names are; None if they are not similar or are equal.

    Names are `SAME` if they differ only in case, width or white space, or in characters that look
    alike, of which at least one is not ASCII.
    """
    if new == existing:
        return None
    if folded(new) == folded(existing):
        return Similarity.SAME
    if with_ascii_merged(new) == with_ascii_merged(existing):
        return Similarity.ASCII
    if new.isascii() and existing.isascii():
        return None
    first, second = (
        {form for key in look_alike_keys(name) for form in (key, with_digits_merged(key))}
        for name in (new, existing)
    )
    return None if first.isdisjoint(second) else Similarity.SAME


class NewNames:
    """Names of one kind and place: those that exist, and new ones as they are checked.

    `is_in_use` says whether a new name is in use next to there, for example as the metric of
    another version: such a name is not refused. `is_visible` says whether an existing name can be
    shown.
    """

    def __init__(
        self,
        kind: NameKind,
        existing: Iterable[str] = (),
        *,
        is_in_use: Callable[[str], bool] = lambda _: False,
        is_visible: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.kind = kind
        self._is_in_use = is_in_use
        self._is_visible = is_visible
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for name in existing:
            self._keep(name)

    def check(self, name: str, *, allow_similar: bool = False) -> list[str]:
        """Check a new name, and keep it; return the names that it is similar to.

        Without `allow_similar` these are similar only in ASCII letters. A name that exists is not
        checked.

        Raises:
            InvalidInput: a character cannot be in a name.
            SimilarName: the name is similar to another one.
        """
        others = {other for key in wide_keys(name) for other in self._by_key.get(key, ())}
        if name in others:
            return []
        similar = {other: how for other in others if (how := similarity(name, other))}
        try:
            check_characters(name, what=self.kind.subject, field=self.kind.field)
            same = sorted(other for other, how in similar.items() if how is Similarity.SAME)
            if same and not allow_similar:
                raise _refused(self.kind, name, next(filter(self._is_visible, same), ""))
        except (InvalidInput, SimilarName):
            if not self._is_in_use(name):
                raise
        self._keep(name)
        return sorted(similar)

    def warning(self, name: str, similar: Iterable[str]) -> str:
        """Return the sentence that a name is similar to others."""
        shown = ", ".join(
            f"“{other[:64]}”" if self._is_visible(other) else "one that you cannot see"
            for other in similar
        )
        return f"The {self.kind.noun} “{name[:64]}” is similar to {shown}."

    def _keep(self, name: str) -> None:
        for key in wide_keys(name):
            self._by_key[key].append(name)


def similar_to(similar: Collection[str]) -> dict[str, Any]:
    """Return the member of an event about a new name that is similar to others; empty if not."""
    return {"similar_to": similar} if similar else {}


def _refused(kind: NameKind, name: str, existing: str) -> SimilarName:
    """Return the error that names the existing name; it is empty if none can be shown."""
    if not existing:
        return SimilarName(
            f"The {kind.noun} “{name[:64]}” looks like one that you cannot see. Use another one.",
            field=kind.field,
            existing="",
        )
    odd = next((letter for letter in name if not letter.isascii() and letter not in existing), "")
    contains = f" It contains {described(odd)}." if odd else ""
    return SimilarName(
        f"The {kind.noun} “{name[:64]}” looks like the existing “{existing[:64]}”.{contains} Use "
        "the existing one.",
        field=kind.field,
        existing=existing,
    )
