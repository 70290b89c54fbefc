"""The id of this installation. No event: it is not part of the registry, and exports omit it."""

from __future__ import annotations

from boards.models import Installation

PK = 1


def instance_id() -> str:
    """Return the id of this installation. The first call creates it."""
    return Installation.objects.get_or_create(pk=PK)[0].instance
