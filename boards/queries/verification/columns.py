"""Kinds of columns: how a value is read from a row, and compared with what the log says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from boards.models.look_alike_key import look_alike_columns
from obeya.audit.chain import SYSTEM_ACTOR, document_digest, text_digest
from obeya.audit.replay.state import UNSTATED, Text

Values = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Names:
    """What references mean: ids of accounts, models and versions as the log has them.

    `groups` and `permissions` are the names of what an account has, by its row.
    """

    accounts: dict[int, str] = field(default_factory=dict)
    usernames: dict[str, str] = field(default_factory=dict)
    groups: Mapping[int, frozenset[str]] = field(default_factory=dict)
    permissions: Mapping[int, frozenset[str]] = field(default_factory=dict)
    models: dict[int, str] = field(default_factory=dict)
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)

    def account(self, pk: int | None) -> str:
        """Return the stable id of an account; None is the registry itself."""
        return SYSTEM_ACTOR if pk is None else self.accounts.get(pk, f"the account {pk}")

    def version(self, pk: int | None, model: int | None) -> int | str | None:
        """Return the number of a version of a model; a text if it is not a version of the model."""
        if pk is None:
            return None
        owner, number = self.versions.get(pk, (None, 0))
        return number if owner == model else "a version of another model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A compared column: the columns that it is read from, and how.

    `is_digest`: the value is a digest or too long, and is not shown. `is_derived`: the value
    depends on other columns, and is a sentence about what is wrong, "" if nothing is.
    """

    reads: tuple[str, ...]
    read: Callable[[Values, Names], Any]
    same: Callable[[Any, Any], bool]
    is_digest: bool = False
    is_derived: bool = False

    def agrees(self, said: Any, found: Any) -> bool:
        """Return whether a value is the one of the log, as far as its events state it."""
        return said is UNSTATED or self.same(said, found)


def plain(name: str) -> Column:
    """Return a column that the log has as it is."""
    return Column(reads=(name,), read=lambda row, _: row[name], same=_same)


def number(name: str) -> Column:
    """Return a column with a 64-bit float, or null; in JSON, ``1`` is the same number as ``1.0``.

    JSON has the shortest digits that are read as the float, so they are compared as a float.
    """
    return Column(reads=(name,), read=lambda row, _: row[name], same=_same_number)


def moment(name: str) -> Column:
    """Return a column with a time, or null."""
    return Column(reads=(name,), read=lambda row, _: row[name], same=_same_moment)


def text(name: str) -> Column:
    """Return a column with a free text, of which the log has the digest."""
    return Column(reads=(name,), read=lambda row, _: row[name], same=_same_text)


def account(name: str) -> Column:
    """Return a column that refers to an account; null is the registry itself."""
    key = f"{name}_id"
    return Column(reads=(key,), read=lambda row, names: names.account(row[key]), same=_same)


def version(owner: str, name: str = "version") -> Column:
    """Return a column that refers to a version, which the log has by its number.

    `owner` is the path to the id of the registered model, whose version it must be.
    """
    key = f"{name}_id"
    return Column(
        reads=(key, owner), read=lambda row, names: names.version(row[key], row[owner]), same=_same
    )


def look_alike_key(name: str, *, of: str) -> Column:
    """Return a column with a key of the name in the column `of`."""

    def read(row: Values, _: Names) -> str:
        is_right = row[name] == look_alike_columns(row[of])[name]
        return "" if is_right else f"is not the key of the {of}"

    return Column(reads=(of, name), read=read, same=lambda _, found: not found, is_derived=True)


def document(name: str) -> Column:
    """Return a column with a JSON document."""
    return Column(reads=(name,), read=lambda row, _: row[name], same=_same_document, is_digest=True)


def digest(read: Callable[[Values], Any], *reads: str) -> Column:
    """Return the digest of columns, which the log has instead of their values."""
    return Column(reads=reads, read=lambda row, _: read(row), same=_same, is_digest=True)


def held(read: Callable[[Names], Mapping[int, frozenset[str]]]) -> Column:
    """Return the names of what an account has, in any order."""
    return Column(
        reads=("pk",),
        read=lambda row, names: read(names).get(row["pk"], frozenset()),
        same=lambda said, found: isinstance(said, list) and found == {*map(str, said)},
    )


def computed(read: Callable[[Values, Names], Any], *reads: str) -> Column:
    """Return a value that is computed from columns."""
    return Column(reads=reads, read=read, same=_same)


def _same(said: Any, found: Any) -> bool:
    return bool(said == found)


def _same_number(said: Any, found: float | None) -> bool:
    if said is None or found is None:
        return said is found
    try:
        return float(said) == found
    except (TypeError, ValueError, OverflowError):
        return False


def _same_moment(said: Any, found: datetime | None) -> bool:
    if said is None or found is None:
        return said is found
    try:
        return datetime.fromisoformat(said) == found
    except (TypeError, ValueError):
        return False


def _same_text(said: Any, found: str) -> bool:
    if not isinstance(said, Text):
        return False
    if not found:
        return not said.digest or said.is_erased
    return said.digest == text_digest(found)


def _same_document(said: Any, found: Any) -> bool:
    try:
        return bool(said == found) or document_digest(said) == document_digest(found)
    except ValueError:
        return False
