"""The rows that a chain describes: tables of rows by their keys, and the event of each value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from enum import Enum, StrEnum
from typing import Any, NamedTuple

Key = tuple[Any, ...]


class Table(StrEnum):
    """A table that the log describes. The value is the noun for one of its rows."""

    MODEL = "model"
    VERSION = "version"
    MODEL_TAG = "model tag"
    VERSION_TAG = "tag"
    ALIAS = "alias"
    METRIC = "metric"
    POLICY = "policy revision"
    CHECK = "stored check"
    REQUEST = "request"
    VOTE = "review of the request"
    WAIVER = "waiver"
    GUARDRAIL = "guardrail"
    ANDON = "alert"
    WIP_LIMIT = "WIP limit"
    GOVERNED_ALIAS = "governed alias"
    METRIC_DEFINITION = "metric definition"
    USER = "account"
    GROUP = "group"
    TOKEN = "API token"  # noqa: S105 - a noun
    LINK = "sign-in link"
    WEBHOOK = "webhook endpoint"
    RUN_FILE = "run file"


class Unstated(Enum):
    """The value of a column that the events do not state: they were written before it was added."""

    UNSTATED = "unstated"


UNSTATED = Unstated.UNSTATED


class Text(NamedTuple):
    """The digest of a free text, "" for an empty one. `is_erased`: the log has only the digest."""

    digest: str
    is_erased: bool = False


NO_TEXT = Text("")


class Event:
    """One event: its canonical members, and the roles of its free texts that are not erased."""

    __slots__ = (
        "_stored",
        "_texts",
        "action",
        "actor",
        "at",
        "channel",
        "data",
        "from_stage",
        "sequence",
        "to_stage",
        "version",
    )

    def __init__(self, members: Mapping[str, Any], stored_texts: Container[str]) -> None:
        self.sequence: int = members["sequence"]
        self.at: str = members["occurred_at"]
        self.actor: str = members["actor"]
        self.channel: str = members["channel"]
        self.action: str = members["action"]
        self.version: int | None = members["version"]
        self.from_stage: str | None = members["from_stage"]
        self.to_stage: str | None = members["to_stage"]
        self.data: dict[str, Any] = members["data"]
        self._texts: Mapping[str, str] = members["texts"]
        self._stored = stored_texts

    def text(self, role: str) -> Text:
        """Return a free text of the event; an empty text is not in the event."""
        digest = self._texts.get(role)
        return NO_TEXT if digest is None else Text(digest, role not in self._stored)


class Row:
    """The values of a row, and the sequence of the event that set each of them."""

    __slots__ = ("_changed", "event", "values")

    def __init__(self, values: dict[str, Any], event: int) -> None:
        self.values = values
        self.event = event
        self._changed: dict[str, int] | None = None

    def change(self, event: int, values: Mapping[str, Any]) -> None:
        """Set some of the values."""
        self.values.update(values)
        if self._changed is None:
            self._changed = {}
        self._changed.update(dict.fromkeys(values, event))

    def event_of(self, column: str) -> int:
        """Return the sequence of the event that set a column."""
        return self.event if self._changed is None else self._changed.get(column, self.event)


class State:
    """The rows of one chain, by table and key."""

    def __init__(self) -> None:
        self.tables: defaultdict[Table, dict[Key, Row]] = defaultdict(dict)
        # Sentences about events that contradict earlier ones.
        self.problems: list[str] = []
        # How many rows there were with the first part of a key that ends with a number.
        self._counts: defaultdict[tuple[Table, Key], int] = defaultdict(int)

    def add(self, table: Table, key: Key, event: Event, **values: Any) -> None:
        """Add a row, or replace the row that has the key."""
        self.tables[table][key] = Row(values, event.sequence)

    def add_next(self, table: Table, key: Key, event: Event, **values: Any) -> None:
        """Add a row whose key is `key` and how many such rows there were before."""
        number = self._counts[table, key]
        self._counts[table, key] = number + 1
        self.add(table, (*key, number), event, **values)

    def last(self, table: Table, key: Key) -> Key:
        """Return the key of the row that `add_next` added last."""
        return (*key, self._counts[table, key] - 1)

    def change(self, table: Table, key: Key, event: Event, **values: Any) -> None:
        """Set columns of a row. Raises `KeyError` if there is no such row."""
        self.tables[table][key].change(event.sequence, values)

    def remove(self, table: Table, key: Key) -> None:
        """Remove a row. Raises `KeyError` if there is no such row."""
        del self.tables[table][key]
