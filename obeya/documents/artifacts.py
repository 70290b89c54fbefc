"""Artifacts as JSON."""

from __future__ import annotations

from typing import Any

from obeya.artifacts.records import Artifact, ArtifactFile, Damage
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
                "damage": file.damage.value if file.damage else None,
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
            ArtifactFile(
                file["path"],
                file["size"],
                file["sha256"],
                file["findings"],
                # Servers without this member do not notice damage.
                damage=Damage(found) if (found := file.get("damage")) else None,
            )
            for file in document["files"]
        ),
    )
