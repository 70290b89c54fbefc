"""The digest of what the inspection of a version's files found, which its events contain."""

from __future__ import annotations

from boards import models
from obeya.audit.chain import document_digest


def findings_digest(version: models.ModelVersion) -> str:
    """Return the SHA-256, in hex, of the warnings and of the sentences about code."""
    return document_digest({"warnings": version.artifact_warnings, "code": version.artifact_code})
