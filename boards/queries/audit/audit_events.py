"""Pages of events as they are exported: each event can be verified separately."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Q

from boards import models
from boards.access.actors import display_name
from boards.models.audit import event_members
from boards.queries.audit.audit_filter import AuditFilter
from boards.queries.audit.audit_page import conditions_of
from boards.queries.paging.keyset import Cursor
from obeya.audit.export import ExportedEvent


def events_page(
    chosen: AuditFilter, within: Q, *, after: Cursor | None, limit: int
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """Return events newest first, as in the export, and the cursor to continue from or None.

    Three statements, and one more for each of the filters actor, model and version, and for a
    stage.

    Raises:
        InvalidInput: the filter has an account, a model or a version that never existed.
    """
    rows: list[models.AuditEvent] = []
    for condition in conditions_of(chosen, None):
        found = models.AuditEvent.objects.filter(condition & within)
        if after is not None:
            found = found.filter(after.older("occurred_at"))
        found = found.select_related("model", "actor").order_by("-occurred_at", "-pk")
        rows += found[: limit + 1]
    rows.sort(key=lambda row: (row.occurred_at, row.pk), reverse=True)
    shown = rows[:limit]
    last = Cursor(shown[-1].occurred_at, shown[-1].pk) if len(rows) > limit else None
    return _lines(shown), last


def _lines(rows: list[models.AuditEvent]) -> list[dict[str, Any]]:
    site = models.SiteChain.objects.values_list("uid", flat=True).first()
    texts: dict[int, dict[str, str]] = defaultdict(dict)
    for event_id, role, text in (
        models.AuditText.objects.filter(event__in=[row.pk for row in rows])
        .order_by("event_id", "role")
        .values_list("event_id", "role", "text")
    ):
        texts[event_id][role] = text
    lines = []
    for row in rows:
        exported = ExportedEvent(
            chain=str(row.model.uid if row.model else site),
            sequence=row.sequence,
            canonical_text=row.canonical_text,
            hash=row.hash,
            previous_hash=row.previous_hash,
            texts=texts[row.pk],
            actor=display_name(row.actor),
            model=row.model.name if row.model else None,
        )
        lines.append({**exported.document, "event": event_members(row.canonical_text) or {}})
    return lines
