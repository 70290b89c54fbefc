"""Keeping a verdict with the evidence it was made on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from boards import models
from boards.registry import _metric_rows
from obeya.errors import Refusal
from obeya.policies import Evidence, Verdict
from obeya.transitions import TransitionFacts


def store_check(
    version: models.ModelVersion,
    facts: TransitionFacts,
    policy_revision: models.PolicyRevision | None,
    verdict: Verdict,
    *,
    made_by: models.User | None,
    at: datetime,
    allowed: bool | None = None,
    refusals: tuple[Refusal, ...] = (),
) -> models.PolicyCheck:
    """Freeze a verdict and its evidence; the caller holds the model's row."""
    return models.PolicyCheck.objects.create(
        version=version,
        policy_revision=policy_revision,
        from_stage=facts.from_stage.value,
        to_stage=facts.to_stage.value,
        passed=verdict.passed,
        allowed=allowed,
        verdict=verdict.to_document(),
        refusals=refusal_documents(refusals),
        evidence={
            "version": _evidence_document(facts.evidence),
            "champion": _evidence_document(facts.champion) if facts.champion else None,
            "artifact_uri": version.artifact_uri,
        },
        made_at=at,
        made_by=made_by,
    )


def refusal_documents(refusals: tuple[Refusal, ...]) -> list[dict[str, str]]:
    """Refusals as JSON."""
    return [{"kind": r.kind.value, "code": r.code, "sentence": r.sentence} for r in refusals]


def _evidence_document(evidence: Evidence) -> dict[str, Any]:
    return {
        "number": evidence.version,
        "metrics": {n: metric_document(m) for n, m in evidence.metrics.items()},
    }
