"""Marks on stored content that no longer has its digest, whose findings then do not count.

No events: what was found in the files of a version changes only when they are inspected again.
"""

from __future__ import annotations

import logging
from datetime import datetime

from boards import models
from boards.files import blob_store
from boards.files.stored_content import DamagedContent

logger = logging.getLogger(__name__)


def mark_damaged(*, found: DamagedContent, at: datetime) -> None:
    """Log damaged content, and mark it unless it was stored again since it was read.

    The versions that have it as a file do not count as inspected until they are inspected again.
    """
    logger.error("%s", found)
    is_there = blob_store.is_there(found.sha256)
    if (blob_store.placed_at(found.sha256) if is_there else None) == found.placed_at:
        models.Blob.objects.filter(sha256=found.sha256).update(
            damage=found.damage.value, damaged_at=at
        )
        having = models.ArtifactFile.objects.filter(blob__sha256=found.sha256)
        models.ModelVersion.objects.filter(pk__in=having.values("version")).update(
            artifact_inspector=0
        )


def mark_intact(*, blob: models.Blob) -> None:
    """Remove the mark that `blob` has, because its content was read again and is intact."""
    rows = models.Blob.objects.filter(pk=blob.pk, damaged_at=blob.damaged_at)
    rows.update(damage="", damaged_at=None)
