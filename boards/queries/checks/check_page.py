"""The page of a stored policy check, as it was frozen; nothing is judged again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boards import models
from boards.access.actors import display_name
from boards.queries.board.board_columns import Lamp
from boards.queries.checks.frozen_check import CheckResult, stored_result
from boards.queries.checks.next_steps import NextStep, next_steps
from obeya.documents.policy_results import refusals_from_documents
from obeya.errors import NotFound, Refusal, RefusalKind
from obeya.policy.requirements import Outcome
from obeya.policy.results import PolicyResult
from obeya.stages import Stage


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """The position of a check's event in its chain."""

    chain: uuid.UUID
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPage:
    """A stored check. `allowed` is None for a check that was run without a move.

    Only `stage_now` and `steps`, what to do about each failure, are not frozen. `record` is the
    event of the move or refusal that the check was made for.
    """

    uid: uuid.UUID
    model: str
    version_pk: int
    number: int
    is_deleted: bool
    stage_now: Stage
    from_stage: Stage
    to_stage: Stage
    result: CheckResult
    allowed: bool | None
    refusals: tuple[Refusal, ...]
    steps: tuple[NextStep, ...]
    record: RecordPlace | None
    made_at: datetime
    made_by: str
    document: Mapping[str, Any]

    @property
    def only_warns(self) -> bool:
        """Whether the version fails a policy that only warns."""
        return self.result.policy_result.only_warns

    @property
    def lamp(self) -> Lamp:
        """The status of the whole check."""
        lamp = self.result.lamp
        if lamp is Lamp.PASSES and (self.allowed is False or self.awaits_approvals):
            return Lamp.ATTENTION
        return lamp

    @property
    def word(self) -> str:
        """The outcome of the whole check in a few words."""
        if not self.result.policy_result.has_policy:
            return "No policy" if self.allowed is not False else "Refused"
        if self.only_warns:
            return "Failed, moved with a warning" if self.allowed else "Failed, warning only"
        if not self.result.policy_result.passed:
            return "Failed, moved by a rollback" if self.allowed else "Failed"
        if self.allowed is False:
            return "Passed, but the move was refused"
        passed = "Passed by waiver" if self.waived else "Passed"
        if self.allowed:
            return f"{passed} and moved"
        return f"{passed}, needs approval" if self.awaits_approvals else passed

    @property
    def required_approvals(self) -> int:
        """The number of approvals that the policy required."""
        return self.result.policy.required_approvals if self.result.policy else 0

    @property
    def awaits_approvals(self) -> bool:
        """Whether the policy requires approvals that this check does not have."""
        given = self.result.evidence.approvals_counted
        return given < self.required_approvals and not self.allowed

    @property
    def waived(self) -> int:
        """The number of requirements that passed by a waiver."""
        return sum(row.outcome.outcome is Outcome.WAIVED for row in self.result.outcomes)

    @property
    def approval_refusals(self) -> tuple[Refusal, ...]:
        """The refusals because of missing approvals."""
        return tuple(r for r in self.refusals if r.kind is RefusalKind.APPROVALS)

    @property
    def limit_refusals(self) -> tuple[Refusal, ...]:
        """The refusals because a stage was full."""
        return tuple(r for r in self.refusals if r.kind is RefusalKind.WIP_LIMIT)

    @property
    def plea(self) -> str:
        """The start of the reason of a request for a waiver."""
        lines = "; ".join(failure.requirement for failure in self.result.policy_result.failures)
        return f"Please waive: {lines}. Reason: "

    @property
    def is_still_to_move(self) -> bool:
        """Whether the version is still in the stage of the check, and the move was not made."""
        return not self.allowed and not self.is_deleted and self.stage_now is self.from_stage


def no_such_check() -> NotFound:
    """Return the error for an id that no stored check has."""
    return NotFound("There is no such policy check.", what="check")


def check_page(uid: uuid.UUID) -> CheckPage:
    """Return the page of a stored check; three statements.

    Raises:
        NotFound: there is no such check.
    """
    row = (
        models.PolicyCheck.objects.filter(uid=uid)
        .select_related(
            "version__model", "policy_revision__model", "policy_revision__created_by", "made_by"
        )
        .first()
    )
    if row is None:
        raise no_such_check()
    result = stored_result(row)
    version = row.version
    return CheckPage(
        uid=row.uid,
        model=version.model.name,
        version_pk=version.pk,
        number=version.number,
        is_deleted=version.deleted_at is not None or version.model.deleted_at is not None,
        stage_now=Stage(version.stage),
        from_stage=Stage(row.from_stage),
        to_stage=Stage(row.to_stage),
        result=result,
        allowed=row.allowed,
        refusals=refusals_from_documents(row.refusals),
        steps=next_steps(
            version.model.name,
            version.number,
            result.policy_result.failures,
            result.policy.policy if result.policy else None,
            entered_at=version.stage_entered_at,
        ),
        record=_record(row),
        made_at=row.made_at,
        made_by=display_name(row.made_by),
        document=_document(row, result.policy_result),
    )


def _record(check: models.PolicyCheck) -> RecordPlace | None:
    """Return the event that was written with the check: of the same version, at the same time."""
    if check.allowed is None:
        return None
    events = models.AuditEvent.objects.filter(
        version=check.version_id, occurred_at=check.made_at
    ).only("sequence", "canonical_text")
    for event in events:
        if event.data.get("check") == str(check.uid):
            return RecordPlace(check.version.model.uid, event.sequence)
    return None


def _document(row: models.PolicyCheck, policy_result: PolicyResult) -> dict[str, Any]:
    """Return the check as JSON: what was stored, with names."""
    revision = row.policy_revision
    return {
        "id": str(row.uid),
        "model": row.version.model.name,
        "version": row.version.number,
        "from_stage": row.from_stage,
        "to_stage": row.to_stage,
        "passed": row.passed,
        "allowed": row.allowed,
        "sentence": policy_result.sentence,
        "verdict": row.verdict,
        "refusals": row.refusals,
        "evidence": row.evidence,
        "evidence_digest": row.evidence_digest,
        "policy": None
        if revision is None
        else {
            "revision": revision.number,
            "model": revision.model.name if revision.model else None,
            "document": revision.document,
        },
        "made_at": row.made_at,
        "made_by": row.made_by.username if row.made_by else None,
    }
