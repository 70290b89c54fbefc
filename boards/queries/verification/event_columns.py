"""The columns of an event that repeat its hashed text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boards import models
from obeya.audit import chain as audit


def differing_column(row: models.AuditEvent, record: Mapping[str, Any]) -> str | None:
    """Return the first column that differs from the hashed text, None if all agree.

    An erased free text does not count as a difference; a changed one does.
    """
    digests = record["texts"]
    columns = {
        "occurred_at": audit.timestamp(row.occurred_at),
        "recorded_at": audit.timestamp(row.recorded_at),
        "actor": str(row.actor.uid) if row.actor else audit.SYSTEM_ACTOR,
        "channel": row.channel,
        "action": row.action,
        "model": str(row.model.uid) if row.model else None,
        "version": row.version.number if row.version else None,
        "from_stage": row.from_stage or None,
        "to_stage": row.to_stage or None,
        "operation": str(row.operation) if row.operation else None,
        "previous_hash": row.previous_hash,
    }
    for column, value in columns.items():
        if record[column] != value:
            return column
    # The same version number of another model would look the same.
    if row.version is not None and row.version.model_id != row.model_id:
        return "version"
    for text in row.texts.all():
        if digests.get(text.role) != audit.text_digest(text.text):
            return f"text ({text.role})"
    return None
