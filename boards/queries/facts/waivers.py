"""Waivers as records of the core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from boards import models
from boards.access.actors import display_name
from obeya.policy.waivers import Waiver
from obeya.stages import Stage


def waivers_of(version_ids: Collection[int]) -> dict[int, list[Waiver]]:
    """Return every waiver of versions, by version, the oldest first; one statement."""
    found: dict[int, list[Waiver]] = defaultdict(list)
    rows = models.Waiver.objects.filter(version__in=version_ids)
    for row in (
        rows.select_related("version__model", "granted_by")
        .order_by("pk")
        .defer("version__description", "version__model__description")
    ):
        found[row.version_id].append(waiver_record(row))
    return found


def waiver_record(row: models.Waiver) -> Waiver:
    """Return a stored waiver; its version, its model and `granted_by` must have been fetched."""
    return Waiver(
        id=str(row.uid),
        model=row.version.model.name,
        version=row.version.number,
        stage=Stage(row.stage),
        requirements=tuple(row.requirements),
        reason=row.reason,
        granted_by=display_name(row.granted_by),
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
