"""The evidence that a stored check froze, read back; nothing is judged again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boards import models
from boards.queries.board.board_columns import Lamp
from boards.queries.facts.history import NOBODY
from boards.queries.metrics.champion_comparison import MeasuredMetric
from obeya.errors import Refusal, RefusalKind
from obeya.metrics import Metric, MetricDefinition, definition_for
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Outcome, RequirementOutcome
from obeya.policy.results import Mode, Verdict
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
        """The shape of the outcome."""
        return _WORDS[self.outcome.outcome][0]

    @property
    def word(self) -> str:
        """The outcome in a word."""
        if self.outcome.outcome is Outcome.MISSING and self.outcome.metric:
            return "not measured"
        return _WORDS[self.outcome.outcome][1]

    @property
    def says_more(self) -> bool:
        """Whether its sentence says more than its numbers do."""
        passed_by_number = self.outcome.outcome is Outcome.PASSED and self.outcome.bound is not None
        return not passed_by_number

    @property
    def lets_pass(self) -> bool:
        """Whether the version may go on with this outcome."""
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


@dataclass(frozen=True, slots=True)
class ApprovalUsed:
    """An approval that counted when a check was made."""

    voter: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyUsed:
    """The revision that judged. `model` is None for the site's policy."""

    number: int
    model: str | None
    created_at: datetime
    created_by: str
    required_approvals: int
    is_in_force: bool
    policy: PromotionPolicy


@dataclass(frozen=True, slots=True)
class FrozenMetric:
    """One metric as it was. `notes` says what else was stated of the version's measurement."""

    measured: MeasuredMetric
    notes: str

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.measured.definition.name

    @property
    def unit(self) -> str:
        """The metric's unit, empty where none is known."""
        return self.measured.definition.unit

    @property
    def value(self) -> float | None:
        """The version's value, None when it was not measured."""
        return self.measured.value

    @property
    def champion(self) -> float | None:
        """The champion's value, None when it was not measured."""
        return self.measured.champion.value if self.measured.champion else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenEvidence:
    """What a check was made on.

    `champion` is the number of the champion of that moment, None when there was none or it was
    the version itself. `tags` are those that a policy asked for. `request` is the request that
    was open for the move. Checks that were stored before something was frozen lack it.
    """

    metrics: tuple[FrozenMetric, ...]
    champion: int | None
    artifact_uri: str
    artifact_digest: str
    artifact_size: int | None
    artifact_warnings: tuple[str, ...]
    description: str
    tags: Mapping[str, str]
    waivers: tuple[WaiverUsed, ...]
    approvals: tuple[ApprovalUsed, ...]
    warnings: tuple[Refusal, ...]
    request: uuid.UUID | None


def frozen_evidence(
    check: models.PolicyCheck, defined: Mapping[str, MetricDefinition]
) -> FrozenEvidence:
    """The evidence of a check; the definitions of metrics are those of today."""
    document = check.evidence
    champion = document.get("champion") or {}
    request = document.get("request")
    return FrozenEvidence(
        metrics=_metrics(document["version"]["metrics"], champion.get("metrics", {}), defined),
        champion=champion.get("number"),
        artifact_uri=document.get("artifact_uri", ""),
        artifact_digest=document.get("artifact_digest", ""),
        artifact_size=document.get("artifact_size"),
        artifact_warnings=tuple(document.get("artifact_warnings", ())),
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
                approval["voter"], approval["comment"], datetime.fromisoformat(approval["at"])
            )
            for approval in document.get("approvals", ())
        ),
        warnings=refusals_from_documents(document.get("warnings", ())),
        request=uuid.UUID(request) if request else None,
    )


def waiver_used(waiver: Waiver) -> WaiverUsed:
    """A waiver as it stands, in the form of those that were frozen."""
    return WaiverUsed(
        uid=waiver.id,
        requirements=waiver.requirements,
        reason=waiver.reason,
        granted_by=waiver.granted_by,
        granted_at=waiver.granted_at,
        expires_at=waiver.expires_at,
    )


def refusals_from_documents(documents: Sequence[Mapping[str, str]]) -> tuple[Refusal, ...]:
    """The refusals or warnings that a check or an event holds."""
    return tuple(Refusal(RefusalKind(d["kind"]), d["code"], d["sentence"]) for d in documents)


def outcome_rows(
    verdict: Verdict,
    defined: Mapping[str, MetricDefinition],
    waivers: Sequence[WaiverUsed] = (),
) -> tuple[OutcomeRow, ...]:
    """The outcomes of a verdict with their units and waivers, in the policy's order."""
    by_id = {waiver.uid: waiver for waiver in waivers}
    return tuple(
        OutcomeRow(
            outcome,
            definition_for(outcome.metric, defined).unit if outcome.metric else "",
            by_id.get(outcome.waiver),
        )
        for outcome in verdict.outcomes
    )


def policy_used(revision: models.PolicyRevision | None) -> PolicyUsed | None:
    """The revision that judged; its `model` and `created_by` must have been fetched with it."""
    if revision is None:
        return None
    policy = PromotionPolicy.from_document(revision.document)
    return PolicyUsed(
        number=revision.number,
        model=revision.model.name if revision.model else None,
        created_at=revision.created_at,
        created_by=revision.created_by.username if revision.created_by else NOBODY,
        required_approvals=policy.required_approvals,
        is_in_force=revision.superseded_at is None,
        policy=policy,
    )


def verdict_lamp(verdict: Verdict) -> Lamp:
    """The shape of a verdict: with a policy that only warns, what fails is a warning."""
    if not verdict.has_policy:
        return Lamp.NONE
    if not verdict.passed:
        return Lamp.FAILS if verdict.mode is Mode.ENFORCE else Lamp.ATTENTION
    return Lamp.ATTENTION if verdict.waived else Lamp.PASSES


def metric_notes(metric: Metric | None) -> str:
    """What is stated of a measurement beside its value: samples, error, dataset."""
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


def _metrics(
    own: Mapping[str, Mapping[str, Any]],
    champions: Mapping[str, Mapping[str, Any]],
    defined: Mapping[str, MetricDefinition],
) -> tuple[FrozenMetric, ...]:
    rows = []
    for name in sorted({*own, *champions}):
        metric = _metric(name, own.get(name))
        row = MeasuredMetric(
            definition_for(name, defined), metric, _metric(name, champions.get(name))
        )
        rows.append(FrozenMetric(row, metric_notes(metric)))
    return tuple(rows)


def _metric(name: str, document: Mapping[str, Any] | None) -> Metric | None:
    """Read back what `obeya.metrics.metric_document` wrote."""
    if document is None:
        return None
    return Metric(
        name,
        float(document["value"]),
        document.get("samples"),
        document.get("standard_error"),
        document.get("dataset", ""),
    )
