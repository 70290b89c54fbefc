"""The digest of a stored check, which the event of the check contains."""

from __future__ import annotations

from typing import Any

from boards import models
from obeya.audit.chain import document_digest


def check_digest(check: models.PolicyCheck) -> str:
    """Return the SHA-256, in hex, of everything that a check froze."""
    return document_digest(digested_document(check))


def digested_document(check: models.PolicyCheck) -> dict[str, Any]:
    """Return the document that the digest is computed from."""
    return {
        "id": str(check.uid),
        "from_stage": check.from_stage,
        "to_stage": check.to_stage,
        "passed": check.passed,
        "allowed": check.allowed,
        "verdict": check.verdict,
        "refusals": check.refusals,
        "evidence": check.evidence,
        "evidence_digest": check.evidence_digest,
    }
