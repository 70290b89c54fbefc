"""Read the frozen evidence of a stored check; nothing is judged again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boards import models
from boards.access.actors import display_name
from boards.queries.board.board_columns import Lamp
from boards.queries.facts.records import definitions
from boards.queries.metrics.champion_comparison import MeasuredMetric, measured
from obeya.documents.catalog import metric_from_document
from obeya.documents.policy_results import refusals_from_documents
from obeya.errors import Refusal
from obeya.metrics import Metric, MetricDefinition, definition_for
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Outcome, RequirementOutcome
from obeya.policy.results import Mode, PolicyResult
from obeya.policy.waivers import Waiver

_WORDS = {
    Outcome.PASSED: (Lamp.PASSES, "passed"),
    Outcome.FAILED: (Lamp.FAILS, "failed"),
    Outcome.MISSING: (Lamp.FAILS, "missing"),
    Outcome.NOT_COMPARABLE: (Lamp.FAILS, "not comparable"),
    Outcome.WAIVED: (Lamp.ATTENTION, "waived"),
}


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One requirement's outcome with the unit of its metric and the waiver that let it pass."""

    outcome: RequirementOutcome
    unit: str
    waiver: WaiverUsed | None = None

    @property
    def lamp(self) -> Lamp:
        """The status of the outcome."""
        return _WORDS[self.outcome.outcome][0]

    @property
    def word(self) -> str:
        """The outcome in one or two words."""
        if self.outcome.outcome is Outcome.MISSING and self.outcome.metric:
            return "not measured"
        return _WORDS[self.outcome.outcome][1]

    @property
    def says_more(self) -> bool:
        """Whether its sentence contains more than its numbers."""
        passed_by_number = self.outcome.outcome is Outcome.PASSED and self.outcome.bound is not None
        return not passed_by_number

    @property
    def lets_pass(self) -> bool:
        """Whether this outcome lets the version pass."""
        return self.outcome.outcome.lets_pass


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverUsed:
    """A waiver that was active when a check was made."""

    uid: str
    requirements: tuple[str, ...]
    reason: str
    granted_by: str
    granted_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalUsed:
    """An approval of the evidence of a check, and whether it counted.

    `is_service`: the reviewer was a service account; earlier versions did not freeze this, and
    counted every approval.
    """

    reviewer: str
    comment: str
    at: datetime
    is_service: bool = False
    counted: bool = True

    @property
    def who(self) -> str:
        """The reviewer, with what is special about the approval."""
        if not self.is_service:
            return self.reviewer
        ignored = "" if self.counted else "; does not count"
        return f"{self.reviewer} (service account{ignored})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyUsed:
    """The policy revision of a check. `model` is None for a default policy."""

    number: int
    model: str | None
    created_at: datetime
    created_by: str
    required_approvals: int
    is_in_force: bool
    policy: PromotionPolicy


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric beside the champion's, and details of its measurement."""

    measured: MeasuredMetric
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvidence:
    """The evidence of a check, or of a request.

    `champion` is the number of the champion at that time, None if there was none or it was the
    version itself; `champion_is_unchecked`: an import placed it in Production, and no policy was
    checked. A stored check has the `tags` that a policy required; `request` is the request
    that was open for the move. Checks that were stored by earlier versions lack what was not frozen
    then.
    """

    metrics: tuple[MetricLine, ...]
    champion: int | None
    champion_is_unchecked: bool
    artifact_uri: str
    artifact_digest: str
    description: str
    tags: Mapping[str, str]
    waivers: tuple[WaiverUsed, ...]
    approvals: tuple[ApprovalUsed, ...] = ()
    warnings: tuple[Refusal, ...] = ()
    request: uuid.UUID | None = None

    @property
    def approvals_counted(self) -> int:
        """The number of approvals that counted."""
        return sum(approval.counted for approval in self.approvals)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """A policy result with its evidence and its policy."""

    policy_result: PolicyResult
    outcomes: tuple[OutcomeRow, ...]
    evidence: ShownEvidence
    policy: PolicyUsed | None
    is_rollback: bool = False

    @property
    def only_warns(self) -> bool:
        """Whether failures refuse nothing: the policy only warns, or it was a rollback."""
        return self.policy_result.mode is Mode.WARN or self.is_rollback

    @property
    def lamp(self) -> Lamp:
        """The status of the policy result."""
        return policy_result_lamp(self.policy_result)


def stored_result(check: models.PolicyCheck) -> CheckResult:
    """Return the result of a stored check, with the current definitions of metrics.

    One statement. The check's `policy_revision`, and its `model` and `created_by`, must have been
    fetched with it.
    """
    document, defined = check.evidence, definitions()
    champion = document.get("champion") or {}
    request = document.get("request")
    evidence = ShownEvidence(
        metrics=metric_lines(
            _metrics(document["version"]["metrics"]), _metrics(champion.get("metrics", {})), defined
        ),
        champion=champion.get("number"),
        champion_is_unchecked=champion.get("imported_unchecked", False),
        artifact_uri=document.get("artifact_uri", ""),
        artifact_digest=document.get("artifact_digest", ""),
        description=document.get("description", ""),
        tags=document.get("tags", {}),
        waivers=tuple(
            WaiverUsed(
                uid=waiver["waiver"],
                requirements=tuple(waiver["requirements"]),
                reason=waiver["reason"],
                granted_by=waiver["granted_by"],
                granted_at=datetime.fromisoformat(waiver["granted_at"]),
                expires_at=datetime.fromisoformat(waiver["expires_at"]),
            )
            for waiver in document.get("waivers", ())
        ),
        approvals=tuple(
            ApprovalUsed(
                reviewer=approval["voter"],
                comment=approval["comment"],
                at=datetime.fromisoformat(approval["at"]),
                is_service=approval.get("is_service", False),
                counted=approval.get("counted", True),
            )
            for approval in document.get("approvals", ())
        ),
        warnings=refusals_from_documents(document.get("warnings", ())),
        request=uuid.UUID(request) if request else None,
    )
    policy_result = PolicyResult.from_document(check.verdict)
    return CheckResult(
        policy_result=policy_result,
        outcomes=outcome_rows(policy_result, defined, evidence.waivers),
        evidence=evidence,
        policy=policy_used(check.policy_revision),
        is_rollback=bool(document.get("is_rollback")),
    )


def metric_lines(
    own: Mapping[str, Metric],
    champions: Mapping[str, Metric],
    defined: Mapping[str, MetricDefinition],
) -> tuple[MetricLine, ...]:
    """Return every metric that a version or its champion has, by name."""
    return tuple(
        MetricLine(measured(name, own, champions, defined), metric_notes(own.get(name)))
        for name in sorted({*own, *champions})
    )


def _metrics(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    return {name: metric_from_document(name, document) for name, document in documents.items()}


def waiver_used(waiver: Waiver) -> WaiverUsed:
    """Return a current waiver in the form of the frozen ones."""
    return WaiverUsed(
        uid=waiver.id,
        requirements=waiver.requirements,
        reason=waiver.reason,
        granted_by=waiver.granted_by,
        granted_at=waiver.granted_at,
        expires_at=waiver.expires_at,
    )


def outcome_rows(
    policy_result: PolicyResult,
    defined: Mapping[str, MetricDefinition],
    waivers: Sequence[WaiverUsed] = (),
) -> tuple[OutcomeRow, ...]:
    """Return the outcomes of a policy result with their units and waivers, in policy order."""
    by_id = {waiver.uid: waiver for waiver in waivers}
    return tuple(
        OutcomeRow(
            outcome,
            definition_for(outcome.metric, defined).unit if outcome.metric else "",
            by_id.get(outcome.waiver),
        )
        for outcome in policy_result.outcomes
    )


def policy_used(revision: models.PolicyRevision | None) -> PolicyUsed | None:
    """Return the revision of a check.

    Its `model` and `created_by` must have been fetched with it.
    """
    if revision is None:
        return None
    policy = PromotionPolicy.from_document(revision.document)
    return PolicyUsed(
        number=revision.number,
        model=revision.model.name if revision.model else None,
        created_at=revision.created_at,
        created_by=display_name(revision.created_by),
        required_approvals=policy.required_approvals,
        is_in_force=revision.superseded_at is None,
        policy=policy,
    )


def policy_result_lamp(policy_result: PolicyResult) -> Lamp:
    """Return the status of a policy result.

    With a policy that only warns, a failure is a warning.
    """
    if not policy_result.has_policy:
        return Lamp.NONE
    if not policy_result.passed:
        return Lamp.FAILS if policy_result.mode is Mode.ENFORCE else Lamp.ATTENTION
    return Lamp.ATTENTION if policy_result.waived else Lamp.PASSES


def metric_notes(metric: Metric | None) -> str:
    """Return the details of a measurement besides its value: samples, error, dataset."""
    if metric is None:
        return ""
    notes = []
    if metric.samples is not None:
        notes.append(f"{metric.samples:,} samples")
    if metric.standard_error is not None:
        notes.append(f"± {metric.standard_error:g}")
    if metric.dataset:
        notes.append(f"on {metric.dataset}")
    return ", ".join(notes)
