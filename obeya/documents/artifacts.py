"""Artifacts as JSON."""

from __future__ import annotations

from typing import Any

from obeya.artifacts.records import Artifact, ArtifactFile
from obeya.documents.reading import Document, reading


def artifact_document(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact as JSON: its digest, size, warnings and files."""
    return {
        "digest": artifact.digest,
        "size": artifact.size,
        "warnings": list(artifact.warnings),
        "files": [
            {
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "findings": dict(file.findings),
            }
            for file in artifact.files
        ],
    }


@reading("artifact")
def artifact_from_document(document: Document) -> Artifact:
    """Read the artifact that `artifact_document` wrote.

    Raises:
        MalformedDocument: the document is not an artifact.
    """
    return Artifact(
        document["digest"],
        document["size"],
        tuple(document["warnings"]),
        tuple(
            ArtifactFile(file["path"], file["size"], file["sha256"], file["findings"])
            for file in document["files"]
        ),
    )
