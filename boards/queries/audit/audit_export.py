"""The audit log as files: CSV for spreadsheets, JSON Lines to verify elsewhere."""

from __future__ import annotations

import csv
import heapq
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Max, Q

from boards import models
from boards.models.audit import event_data
from boards.queries.audit.audit_filter import AuditFilter
from boards.queries.audit.audit_page import Scope, conditions_of
from boards.queries.paging.keyset import Cursor
from obeya.audit.chain import SYSTEM_ACTOR, timestamp
from obeya.audit.export import ExportedEvent
from obeya.csv_cells import csv_cell

CHUNK = 1_000
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


# What is read of an event: as plain values, because an export makes a great many.
_FIELDS = (
    "pk",
    "occurred_at",
    "recorded_at",
    "actor__username",
    "channel",
    "action",
    "model__uid",
    "model__name",
    "version__number",
    "from_stage",
    "to_stage",
    "operation",
    "sequence",
    "canonical_text",
    "hash",
    "previous_hash",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An event with its free texts and the id of its chain. `model` None is the site's chain."""

    pk: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    channel: str
    action: str
    chain: str
    model: str | None
    version: int | None
    from_stage: str
    to_stage: str
    operation: uuid.UUID | None
    sequence: int
    canonical_text: str
    hash: str
    previous_hash: str
    texts: dict[str, str]


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
        key=lambda found: (found.occurred_at, found.pk),
    )


def _each(condition: Q, last: int) -> Iterator[_Found]:
    """A chunk by keyset at a time: no statement and no cursor stays open in between."""
    site = models.SiteChain.objects.values_list("uid", flat=True).first()
    events = (
        models.AuditEvent.objects.filter(condition)
        .order_by("occurred_at", "pk")
        .values_list(*_FIELDS)
    )
    after: Cursor | None = None
    while True:
        rows = list((events.filter(after.newer("occurred_at")) if after else events)[:CHUNK])
        texts: dict[int, dict[str, str]] = defaultdict(dict)
        for event_id, role, text in (
            models.AuditText.objects.filter(event__in=[row[0] for row in rows])
            .order_by("event_id", "role")
            .values_list("event_id", "role", "text")
        ):
            texts[event_id][role] = text
        for (
            pk,
            occurred_at,
            recorded_at,
            actor,
            channel,
            action,
            chain,
            model,
            version,
            from_stage,
            to_stage,
            operation,
            sequence,
            canonical_text,
            event_hash,
            previous_hash,
        ) in rows:
            # Said here and not to the database, which would take it for something to seek by.
            if pk <= last:
                yield _Found(
                    pk=pk,
                    occurred_at=occurred_at,
                    recorded_at=recorded_at,
                    actor=actor or SYSTEM_ACTOR,
                    channel=channel,
                    action=action,
                    chain=str(chain or site),
                    model=model,
                    version=version,
                    from_stage=from_stage,
                    to_stage=to_stage,
                    operation=operation,
                    sequence=sequence,
                    canonical_text=canonical_text,
                    hash=event_hash,
                    previous_hash=previous_hash,
                    texts=texts[pk],
                )
        if len(rows) < CHUNK:
            return
        after = Cursor(rows[-1][1], rows[-1][0])


def json_lines(found: Iterable[_Found]) -> Iterator[str]:
    """One line for each event, in the form of docs/audit.md."""
    for each in found:
        event = ExportedEvent(
            chain=each.chain,
            sequence=each.sequence,
            canonical_text=each.canonical_text,
            hash=each.hash,
            previous_hash=each.previous_hash,
            texts=each.texts,
            actor=each.actor,
            model=each.model,
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
        yield writer.writerow([csv_cell(value) for value in _values(each)])


def _values(each: _Found) -> Iterator[object]:
    texts, data = dict(each.texts), event_data(each.canonical_text)
    reason = texts.pop("reason", "")
    yield timestamp(each.occurred_at)
    yield timestamp(each.recorded_at)
    yield from (each.actor, each.channel, each.action, each.model, each.version)
    yield from (each.from_stage, each.to_stage, reason)
    yield json.dumps(texts, ensure_ascii=False) if texts else ""
    yield json.dumps(data, ensure_ascii=False) if data else ""
    yield from (each.operation, each.chain, each.sequence, each.hash, each.previous_hash)
