"""The digest of a stored check, which the event of the check contains."""

from __future__ import annotations

from typing import Any

from boards import models
from obeya.audit.chain import document_digest

DIGESTED = (
    "from_stage",
    "to_stage",
    "passed",
    "allowed",
    "verdict",
    "refusals",
    "evidence",
    "evidence_digest",
)
"""The columns of a check that the digest covers, besides its id."""


def check_digest(check: models.PolicyCheck) -> str:
    """Return the SHA-256, in hex, of everything that a check froze."""
    return document_digest(digested_document(check))


def revision_reference(stage: str, number: int, *, is_default: bool) -> dict[str, Any]:
    """Return the document that identifies the policy revision of a check in its event."""
    return {"default": is_default, "stage": stage, "revision": number}


def digested_document(check: models.PolicyCheck) -> dict[str, Any]:
    """Return the document that the digest is computed from."""
    return {"id": str(check.uid), **{name: getattr(check, name) for name in DIGESTED}}
