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
    """The formats of an export; the value is the file extension."""

    CSV = "csv"
    JSON_LINES = "jsonl"

    @property
    def media_type(self) -> str:
        """The media type of the file."""
        return "text/csv; charset=utf-8" if self is ExportForm.CSV else "application/x-ndjson"


# The columns that are read of an event: as plain values, because an export has very many.
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
    """An event with its free texts and the id of its chain. `model` None: the site chain."""

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
    """Yield the lines of an export, oldest event first; within a chain in the chain's order.

    The events are read in chunks, up to the last one that existed at the start.

    Raises:
        InvalidInput: immediately, if the filter has an account, a model or a version that never
            existed.
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
    """Read in chunks by keyset, so that no statement and no cursor stays open in between."""
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
            # Checked here and not by the database, which would use the condition to choose an
            # index.
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
    """Yield one line for each event, in the format of docs/audit.md."""
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
    """A file for csv.writer that returns what is written."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text


def csv_lines(found: Iterable[_Found]) -> Iterator[str]:
    """Yield a line of column names, then one for each event. Cells like formulas are escaped."""
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
