"""Upgrades that record in the log what older versions stored without events."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.migrations import Migration


def brings(plan: Iterable[tuple[Migration, bool]], name: str) -> bool:
    """Return whether a plan of migrations, each with whether it is undone, applies this one."""
    wanted = ("boards", name)
    return any((each.app_label, each.name) == wanted and not back for each, back in plan)
