"""Compare stored content with its digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from boards import models
from boards.files import blob_store


@dataclass(frozen=True, slots=True)
class ExaminedBlob:
    """One blob; `fault` says what is wrong with it and what uses it, "" if it is intact."""

    sha256: str
    size: int
    fault: str


def examined_blobs() -> Iterator[ExaminedBlob]:
    """Read all stored content and recompute its digests."""
    for blob in models.Blob.objects.order_by("sha256").iterator(chunk_size=500):
        fault = _fault(blob)
        yield ExaminedBlob(blob.sha256, blob.size, f"{fault} {_named_by(blob)}" if fault else "")


def _fault(blob: models.Blob) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with blob_store.open_blob(blob.sha256) as file:
            while piece := file.read(blob_store.PIECE):
                digest.update(piece)
                size += len(piece)
    except FileNotFoundError:
        return f"The content {blob.sha256} is missing."
    except OSError as error:
        return f"The content {blob.sha256} cannot be read ({error.strerror or error})."
    if size != blob.size:
        return f"The content {blob.sha256} has {size:,} bytes instead of {blob.size:,}."
    if digest.hexdigest() != blob.sha256:
        return f"The content {blob.sha256} was altered."
    return ""


def _named_by(blob: models.Blob) -> str:
    rows = models.ArtifactFile.objects.filter(blob=blob).select_related("version__model")
    named = [f"{row.version.model.name} v{row.version.number}: {row.path}" for row in rows[:5]]
    return f"Used by {', '.join(named)}." if named else "No version uses it."
