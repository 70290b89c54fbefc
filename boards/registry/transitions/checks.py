"""Store a policy result with its evidence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import STORE_CHECK
from boards.queries.facts.check_digest import check_digest, revision_reference
from boards.queries.facts.evidence import facts_for
from boards.queries.facts.open_requests import OpenRequest
from boards.registry.commit import writing_model
from obeya.documents.policy_results import refusal_documents
from obeya.errors import Refusal
from obeya.metrics import metric_document
from obeya.policy.requirements import Evidence
from obeya.policy.results import PolicyResult
from obeya.policy.waivers import Waiver
from obeya.records import Action
from obeya.stages import Stage
from obeya.transitions.judge import TransitionFacts
from obeya.transitions.requests import noise_scales
from obeya.transitions.versions import next_stage


def store_check(
    version: models.ModelVersion,
    facts: TransitionFacts,
    policy_revision: models.PolicyRevision | None,
    policy_result: PolicyResult,
    *,
    made_by: models.User | None,
    at: datetime,
    allowed: bool | None = None,
    refusals: tuple[Refusal, ...] = (),
    warnings: tuple[Refusal, ...] = (),
    request: OpenRequest | None = None,
    is_rollback: bool = False,
) -> models.PolicyCheck:
    """Store a policy result with its evidence. The caller holds the lock on the model's row."""
    digest = facts.evidence_digest
    return models.PolicyCheck.objects.create(
        version=version,
        policy_revision=policy_revision,
        from_stage=facts.from_stage.value,
        to_stage=facts.to_stage.value,
        passed=policy_result.passed,
        allowed=allowed,
        evidence_digest=digest,
        verdict=policy_result.to_document(),
        refusals=refusal_documents(refusals),
        evidence={
            "version": _evidence_document(facts.evidence),
            "champion": _champion_document(version, facts.champion) if facts.champion else None,
            "artifact_uri": version.artifact_uri,
            "artifact_digest": version.artifact_digest,
            **_stored_artifact(facts.evidence),
            "description": facts.evidence.description,
            "tags": dict(facts.evidence.tags),
            "hours_in_stage": _hours(facts.evidence),
            "is_rollback": is_rollback,
            "waivers": [_waiver_document(w) for w in facts.waivers if w.is_active(at)],
            "request": str(request.row.uid) if request else None,
            "approvals": _approval_documents(facts),
            "warnings": refusal_documents(warnings),
            "scales": noise_scales(facts.policy, facts.definitions) if facts.policy else {},
        },
        made_at=at,
        made_by=made_by,
    )


def _stored_artifact(evidence: Evidence) -> dict[str, Any]:
    """Return what was found in the files, if they are stored here."""
    if evidence.artifact_size is None:
        return {}
    return {
        "artifact_size": evidence.artifact_size,
        "artifact_warnings": list(evidence.artifact_warnings),
        "artifact_code": list(evidence.artifact_code),
        "artifact_inspected": evidence.artifact_inspected,
    }


def check_reference(check: models.PolicyCheck) -> dict[str, Any]:
    """Return an event's reference to a stored check: its id, the digest of its content, its policy.

    The policy is that of the model or the default policy, with its revision; None if there is none.
    """
    revision = check.policy_revision
    policy = revision and revision_reference(
        revision.stage, revision.number, is_default=revision.model_id is None
    )
    return {
        "check": str(check.uid),
        "check_digest": check_digest(check),
        "checked_policy": policy,
    }


def _waiver_document(waiver: Waiver) -> dict[str, Any]:
    granted = {"granted_by": waiver.granted_by, "granted_at": waiver.granted_at.isoformat()}
    return {**waiver.to_document(), "reason": waiver.reason, **granted}


def _approval_documents(facts: TransitionFacts) -> list[dict[str, Any]]:
    """Return the approvals, with whether each was by a service account and whether it counted."""
    counted = facts.approvers
    return [
        {
            "voter": review.reviewer,
            "comment": review.comment,
            "at": review.at.isoformat(),
            "is_service": review.is_service,
            "counted": review.reviewer in counted,
        }
        for review in facts.approvals
    ]


def _hours(evidence: Evidence) -> float | None:
    stayed = evidence.time_in_stage
    return None if stayed is None else stayed.total_seconds() / 3600


def _evidence_document(evidence: Evidence) -> dict[str, Any]:
    return {
        "number": evidence.version,
        "metrics": {n: metric_document(m) for n, m in evidence.metrics.items()},
    }


def _champion_document(version: models.ModelVersion, champion: Evidence) -> dict[str, Any]:
    row = version.model.champion
    unchecked = row is not None and row.imported_unchecked
    return {**_evidence_document(champion), "imported_unchecked": unchecked}


def record_policy_check(
    *, name: str, version: int, to_stage: Stage | None = None, actor: Actor, at: datetime
) -> models.PolicyCheck:
    """Check a version against the policy of `to_stage` (None: its next stage); store the result.

    The version is not moved.

    Raises:
        NotAllowed: the actor has neither the transition nor the approve permission.
        InvalidInput: `to_stage` is not a stage, or is None and the version's stage has no next one.
    """
    actor.require_one(STORE_CHECK, name)
    wanted = None if to_stage is None else Stage.parse(to_stage)
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        facts, policy_revision = facts_for(row, wanted or next_stage(Stage(row.stage)), at=write.at)
        check = store_check(
            row,
            facts,
            policy_revision,
            facts.check_policy(),
            made_by=actor.user,
            at=write.at,
        )
        write.record(
            Action.POLICY_CHECKED,
            version=row,
            to_stage=facts.to_stage,
            data={**check_reference(check), "passed": check.passed},
        )
        return check
