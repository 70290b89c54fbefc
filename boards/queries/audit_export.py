"""The audit log as files: CSV for spreadsheets, JSON Lines to verify elsewhere."""

from __future__ import annotations

import csv
import heapq
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Max, Q

from boards import models
from boards.queries.audit_filter import AuditFilter
from boards.queries.audit_page import Scope, conditions_of
from boards.queries.history import NOBODY
from boards.queries.keyset import Cursor
from obeya.audit import timestamp
from obeya.chain_export import ExportedEvent

CHUNK = 1_000
# What makes a spreadsheet take a cell for a formula, or break out of the one it stands in.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "occurred_at",
    "recorded_at",
    "actor",
    "channel",
    "action",
    "model",
    "version",
    "from_stage",
    "to_stage",
    "reason",
    "texts",
    "data",
    "operation",
    "chain",
    "sequence",
    "hash",
    "previous_hash",
)


class ExportForm(StrEnum):
    """The forms of an export; the value is the ending of the file's name."""

    CSV = "csv"
    JSON_LINES = "jsonl"

    @property
    def media_type(self) -> str:
        """What the file is, for a browser."""
        return "text/csv; charset=utf-8" if self is ExportForm.CSV else "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class _Found:
    """An event with its free texts and the id of its chain."""

    row: models.AuditEvent
    texts: dict[str, str]
    chain: str


def export_lines(
    form: ExportForm, chosen: AuditFilter, scope: Scope | None = None
) -> Iterator[str]:
    """The lines of an export, oldest event first; those of one chain in the order of the chain.

    The events are read a chunk at a time, up to the last one that was there at the start.

    Raises:
        InvalidInput: at once, the filter names an account, a model or a version that never was.
    """
    found = _all(conditions_of(chosen, scope))
    return csv_lines(found) if form is ExportForm.CSV else json_lines(found)


def _all(conditions: tuple[Q, ...]) -> Iterator[_Found]:
    last = models.AuditEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    return heapq.merge(
        *(_each(condition, last) for condition in conditions),
        key=lambda found: (found.row.occurred_at, found.row.pk),
    )


def _each(condition: Q, last: int) -> Iterator[_Found]:
    """A chunk by keyset at a time: no statement and no cursor stays open in between."""
    site = models.SiteChain.objects.values_list("uid", flat=True).first()
    events = (
        models.AuditEvent.objects.filter(condition)
        .select_related("model", "version", "actor")
        .defer("model__description", "version__description")
        .order_by("occurred_at", "pk")
    )
    after: Cursor | None = None
    while True:
        rows = list((events.filter(after.newer("occurred_at")) if after else events)[:CHUNK])
        texts: dict[int, dict[str, str]] = defaultdict(dict)
        for event_id, role, text in (
            models.AuditText.objects.filter(event__in=[row.pk for row in rows])
            .order_by("event_id", "role")
            .values_list("event_id", "role", "text")
        ):
            texts[event_id][role] = text
        for row in rows:
            # Said here and not to the database, which would take it for something to seek by.
            if row.pk <= last:
                yield _Found(row, texts[row.pk], str(row.model.uid if row.model else site))
        if len(rows) < CHUNK:
            return
        after = Cursor(rows[-1].occurred_at, rows[-1].pk)


def json_lines(found: Iterable[_Found]) -> Iterator[str]:
    """One line for each event, in the form of docs/audit.md."""
    for each in found:
        row = each.row
        event = ExportedEvent(
            chain=each.chain,
            sequence=row.sequence,
            canonical_text=row.canonical_text,
            hash=row.hash,
            previous_hash=row.previous_hash,
            texts=each.texts,
            actor=row.actor.username if row.actor else NOBODY,
            model=row.model.name if row.model else None,
        )
        yield f"{event.line}\n"


class _Echo:
    """What csv.writer writes to, handed back."""

    def write(self, text: str) -> str:
        """The text."""
        return text


def csv_lines(found: Iterable[_Found]) -> Iterator[str]:
    """A line of column names, then one for each event; cells that look like formulas escaped."""
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for each in found:
        yield writer.writerow([cell(value) for value in _values(each)])


def cell(value: object) -> str:
    """A value as a cell; behind an apostrophe where a spreadsheet would compute it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _values(each: _Found) -> Iterator[object]:
    row, texts = each.row, dict(each.texts)
    reason = texts.pop("reason", "")
    yield timestamp(row.occurred_at)
    yield timestamp(row.recorded_at)
    yield row.actor.username if row.actor else NOBODY
    yield row.channel
    yield row.action
    yield row.model.name if row.model else None
    yield row.version.number if row.version else None
    yield row.from_stage
    yield row.to_stage
    yield reason
    yield json.dumps(texts, ensure_ascii=False) if texts else ""
    yield json.dumps(row.data, ensure_ascii=False) if row.data else ""
    yield row.operation
    yield each.chain
    yield row.sequence
    yield row.hash
    yield row.previous_hash
