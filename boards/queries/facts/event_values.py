"""Members of an event's `data` whose types the parser of canonical texts does not check."""

from __future__ import annotations

import uuid
from datetime import datetime


def uid_of(value: object) -> uuid.UUID | None:
    """Return the UUID that a string contains; None if the value is not such a string."""
    if not isinstance(value, str):
        return None
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def moment_of(value: object) -> datetime | None:
    """Return the time of an ISO 8601 string with a time zone; None for any other value."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
