"""One stored policy check, as it was frozen when it was made; nothing is judged again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boards import models
from boards.queries.board import Lamp
from boards.queries.history import NOBODY
from boards.queries.records import definitions
from obeya.errors import NotFound, Refusal, RefusalKind
from obeya.metrics import MetricDefinition, definition_for
from obeya.policies import Outcome, PromotionPolicy, RequirementOutcome, Verdict
from obeya.stages import Stage

_WORDS = {
    Outcome.PASSED: (Lamp.PASSES, "passed"),
    Outcome.FAILED: (Lamp.FAILS, "failed"),
    Outcome.MISSING: (Lamp.FAILS, "not measured"),
    Outcome.NOT_COMPARABLE: (Lamp.FAILS, "not comparable"),
    Outcome.WAIVED: (Lamp.ATTENTION, "waived"),
}


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One requirement's outcome with the unit of its metric."""

    outcome: RequirementOutcome
    unit: str

    @property
    def lamp(self) -> Lamp:
        """The shape of the outcome."""
        return _WORDS[self.outcome.outcome][0]

    @property
    def word(self) -> str:
        """The outcome in a word."""
        return _WORDS[self.outcome.outcome][1]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One metric as it was: the version's and the champion's value, None where not measured.

    `notes` says what else was stated of the version's measurement: samples, error, dataset.
    """

    name: str
    unit: str
    value: float | None
    champion: float | None
    notes: str


@dataclass(frozen=True, slots=True)
class PolicyUsed:
    """The revision that judged. `model` is None for the site's policy."""

    number: int
    model: str | None
    created_at: datetime
    created_by: str
    required_approvals: int
    is_in_force: bool


@dataclass(frozen=True, slots=True)
class CheckPage:
    """A stored check. `allowed` is None for one that was asked for and moved nothing.

    `champion` is the number of the champion of that moment, None when there was none or it was
    this version. `stage_now` is the only thing that is not frozen.
    """

    uid: uuid.UUID
    model: str
    number: int
    is_deleted: bool
    stage_now: Stage
    from_stage: Stage
    to_stage: Stage
    verdict: Verdict
    allowed: bool | None
    refusals: tuple[Refusal, ...]
    outcomes: tuple[OutcomeRow, ...]
    evidence: tuple[EvidenceRow, ...]
    champion: int | None
    artifact_uri: str
    policy: PolicyUsed | None
    made_at: datetime
    made_by: str
    document: Mapping[str, Any]

    @property
    def lamp(self) -> Lamp:
        """The shape of the whole check."""
        if not self.verdict.has_policy:
            return Lamp.NONE
        if not self.verdict.passed:
            return Lamp.FAILS
        if self.allowed is False or self.awaits_approvals or self.waived:
            return Lamp.ATTENTION
        return Lamp.PASSES

    @property
    def word(self) -> str:
        """The whole check in a few words."""
        if not self.verdict.has_policy:
            return "No policy"
        if not self.verdict.passed:
            return "Failed"
        if self.allowed is False:
            return "Passed, but the move was refused"
        if self.allowed:
            return "Passed and moved"
        return "Passed, approvals to come" if self.awaits_approvals else "Passed"

    @property
    def required_approvals(self) -> int:
        """How many approvals the policy asked for."""
        return self.policy.required_approvals if self.policy else 0

    @property
    def awaits_approvals(self) -> bool:
        """Whether the policy asks for approvals that this check does not count."""
        return bool(self.required_approvals) and not self.allowed

    @property
    def waived(self) -> int:
        """How many requirements a waiver let pass."""
        return sum(row.outcome.outcome is Outcome.WAIVED for row in self.outcomes)

    @property
    def approval_refusals(self) -> tuple[Refusal, ...]:
        """The refusals for want of approvals."""
        return tuple(r for r in self.refusals if r.kind is RefusalKind.APPROVALS)

    @property
    def missing_metrics(self) -> tuple[str, ...]:
        """The metrics that a requirement asked for and that were not measured."""
        return tuple(
            dict.fromkeys(o.metric for o in self.verdict.failures if o.outcome is Outcome.MISSING)
        )

    @property
    def failed_metrics(self) -> tuple[str, ...]:
        """The metrics that were measured and did not reach their bound."""
        return tuple(
            dict.fromkeys(
                o.metric for o in self.verdict.failures if o.outcome is not Outcome.MISSING
            )
        )

    @property
    def log_command(self) -> str:
        """The call that logs what was not measured, for Python; empty when nothing lacks."""
        if not self.missing_metrics:
            return ""
        values = ", ".join(f"{_quoted(metric)}: ..." for metric in self.missing_metrics)
        return f"registry.log_metrics({_quoted(self.model)}, {self.number}, {{{values}}})"


def check_page(uid: uuid.UUID) -> CheckPage:
    """The stored check; two statements.

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
        raise NotFound("There is no such policy check.", what="check")
    defined = definitions()
    verdict = Verdict.from_document(row.verdict)
    refusals = tuple(
        Refusal(RefusalKind(r["kind"]), r["code"], r["sentence"]) for r in row.refusals
    )
    champion = row.evidence.get("champion") or {}
    return CheckPage(
        row.uid,
        row.version.model.name,
        row.version.number,
        row.version.deleted_at is not None,
        Stage(row.version.stage),
        Stage(row.from_stage),
        Stage(row.to_stage),
        verdict,
        row.allowed,
        refusals,
        tuple(OutcomeRow(o, definition_for(o.metric, defined).unit) for o in verdict.outcomes),
        _evidence(row.evidence["version"]["metrics"], champion.get("metrics", {}), defined),
        champion.get("number"),
        row.evidence.get("artifact_uri", ""),
        _policy(row.policy_revision),
        row.made_at,
        row.made_by.username if row.made_by else NOBODY,
        _document(row, verdict),
    )


def _evidence(
    own: Mapping[str, Mapping[str, Any]],
    champions: Mapping[str, Mapping[str, Any]],
    defined: Mapping[str, MetricDefinition],
) -> tuple[EvidenceRow, ...]:
    return tuple(
        EvidenceRow(
            name,
            definition_for(name, defined).unit,
            _value(own.get(name)),
            _value(champions.get(name)),
            _notes(own.get(name, {})),
        )
        for name in sorted({*own, *champions})
    )


def _value(metric: Mapping[str, Any] | None) -> float | None:
    return None if metric is None else float(metric["value"])


def _notes(metric: Mapping[str, Any]) -> str:
    notes = []
    if "samples" in metric:
        notes.append(f"{metric['samples']:,} samples")
    if "standard_error" in metric:
        notes.append(f"± {metric['standard_error']:g}")
    if "dataset" in metric:
        notes.append(f"on {metric['dataset']}")
    return ", ".join(notes)


def _policy(revision: models.PolicyRevision | None) -> PolicyUsed | None:
    if revision is None:
        return None
    return PolicyUsed(
        revision.number,
        revision.model.name if revision.model else None,
        revision.created_at,
        revision.created_by.username if revision.created_by else NOBODY,
        PromotionPolicy.from_document(revision.document).required_approvals,
        revision.superseded_at is None,
    )


def _document(row: models.PolicyCheck, verdict: Verdict) -> dict[str, Any]:
    """The check as JSON: what was stored, and the names that go with it."""
    revision = row.policy_revision
    return {
        "id": str(row.uid),
        "model": row.version.model.name,
        "version": row.version.number,
        "from_stage": row.from_stage,
        "to_stage": row.to_stage,
        "passed": row.passed,
        "allowed": row.allowed,
        "sentence": verdict.sentence,
        "verdict": row.verdict,
        "refusals": row.refusals,
        "evidence": row.evidence,
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


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
