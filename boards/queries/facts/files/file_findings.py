"""What the inspection found in stored content: sealed, and as the columns of a version.

The seal is computed with a key of this installation. Findings that were written by anything else
have a wrong seal, and count as those of content that was not inspected.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from boards import models
from boards.access.sealing import derived_keys
from obeya.artifacts.findings import InspectedFile, warnings_of
from obeya.audit.chain import document_digest


def sealed_findings(
    sha256: str, size: int, findings: Mapping[str, Any], inspector: int
) -> dict[str, Any]:
    """Return the columns of a blob with its size, its findings and their seal."""
    blob = models.Blob(sha256=sha256, size=size, findings=findings, inspector=inspector)
    seals = _seals(blob)
    return {
        "size": size,
        "findings": findings,
        "inspector": inspector,
        "findings_seal": seals[0] if seals else "",
    }


def has_seal(blob: models.Blob) -> bool:
    """Return whether this installation wrote the findings, with SECRET_KEY or a fallback."""
    return any(hmac.compare_digest(seal, blob.findings_seal) for seal in _seals(blob))


def inspector_of(blob: models.Blob) -> int:
    """Return the version of the inspection that read the content, 0 if it must be read again."""
    return blob.inspector if blob.inspector and not blob.damage and has_seal(blob) else 0


def file_warnings(blobs: Mapping[str, models.Blob]) -> dict[str, Any]:
    """Return the columns of a version that say what was found in its files, given by path."""
    files = (InspectedFile(path, blob.size, blob.findings) for path, blob in blobs.items())
    warnings = warnings_of(files)
    return {
        "artifact_warnings": list(warnings.problems),
        "artifact_code": list(warnings.code),
        "artifact_inspector": min(inspector_of(blob) for blob in blobs.values()),
    }


def findings_digest(version: models.ModelVersion) -> str:
    """Return the SHA-256, in hex, of the warnings and of the sentences about code."""
    return document_digest({"warnings": version.artifact_warnings, "code": version.artifact_code})


def _seals(blob: models.Blob) -> list[str]:
    """Return the seals with each key, none for findings that have no canonical form."""
    try:
        digest = document_digest(
            {
                "sha256": blob.sha256,
                "size": blob.size,
                "findings": blob.findings,
                "inspector": blob.inspector,
            }
        )
    except (ValueError, OverflowError):
        return []
    keys = derived_keys(b"obeya.findings")
    return [hmac.new(key, digest.encode(), "sha256").hexdigest() for key in keys]
