"""Compare stored content with its digests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from boards import models
from boards.files.stored_content import DamagedContent, StoredContent


@dataclass(frozen=True, slots=True)
class ExaminedBlob:
    """One blob; `fault` says what is wrong with it and what uses it, "" if it is intact.

    `damage` is the damage that was found, None if it is intact or could not be read.
    """

    row: models.Blob
    fault: str = ""
    damage: DamagedContent | None = None


def examined_blobs(*, only_marked: bool = False) -> Iterator[ExaminedBlob]:
    """Read all stored content, or only what is marked as damaged, and recompute its digests."""
    rows = models.Blob.objects.order_by("sha256")
    if only_marked:
        rows = rows.exclude(damage="")
    for blob in rows.iterator(chunk_size=500):
        yield _examined(blob)


def _examined(blob: models.Blob) -> ExaminedBlob:
    try:
        with StoredContent(blob.sha256, blob.size) as content:
            content.verify()
    except DamagedContent as found:
        return ExaminedBlob(blob, f"{found} {_named_by(blob)}", found)
    except OSError as error:
        problem = f"The content {blob.sha256} cannot be read ({error.strerror or error})."
        return ExaminedBlob(blob, f"{problem} {_named_by(blob)}")
    return ExaminedBlob(blob)


def _named_by(blob: models.Blob) -> str:
    rows = models.ArtifactFile.objects.filter(blob=blob).select_related("version__model")
    named = [f"{row.version.model.name} v{row.version.number}: {row.path}" for row in rows[:5]]
    return f"Used by {', '.join(named)}." if named else "No version uses it."
