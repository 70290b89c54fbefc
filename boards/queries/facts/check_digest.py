"""The digest of a stored check, which the event that names the check holds."""

from __future__ import annotations

from typing import Any

from boards import models
from obeya.audit.chain import document_digest


def check_digest(check: models.PolicyCheck) -> str:
    """SHA-256, in hex, over all that a check froze."""
    return document_digest(digested_document(check))


def digested_document(check: models.PolicyCheck) -> dict[str, Any]:
    """What the digest is over."""
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
