"""Judging a move: workflow, policy, approvals and WIP limits together, all reasons at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from obeya.errors import Refusal, RefusalKind
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Definitions, Evidence
from obeya.policy.results import Mode, PolicyResult, no_policy
from obeya.policy.waivers import Waiver
from obeya.stages import Stage, Workflow, is_promotion
from obeya.transitions.limits import LimitMode, StageLoad
from obeya.transitions.requests import evidence_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionFacts:
    """All that a move is judged by.

    `policy` is the one that guards `to_stage`, None when none is set, and `policy_revision` its
    number; `champion` is the evidence of the version now in Production, None when there is none
    or it is this one; `approvers` are the people whose approvals count; `waivers` those of the
    version for `to_stage`, of which those active `at` count; `loads` what the WIP limits of
    `to_stage` count there. `definitions` may be left empty where the policy does not ask about
    noise.
    """

    from_stage: Stage
    to_stage: Stage
    workflow: Workflow
    evidence: Evidence
    policy: PromotionPolicy | None = None
    policy_revision: int | None = None
    champion: Evidence | None = None
    definitions: Definitions = field(default_factory=dict)
    approvers: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    loads: tuple[StageLoad, ...] = ()
    at: datetime | None = None

    def check_policy(self) -> PolicyResult:
        """Hold the evidence against the policy alone; without one it passes and says so."""
        if self.policy is None:
            return no_policy(self.to_stage)
        return self.policy.check(
            self.evidence,
            self.champion,
            revision=self.policy_revision,
            definitions=self.definitions,
            waivers=self.waivers,
            at=self.at,
        )

    @property
    def evidence_digest(self) -> str:
        """What an approval of this move is bound to."""
        return evidence_digest(self.evidence, self.champion, self.policy, self.definitions)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionJudgement:
    """Whether a move may be made, and every reason why not.

    `policy_result` is the policy's, None where no policy can gate the move. `warnings` are what a
    policy or a WIP limit says that only warns. `approvals_required` and `approvals_given` say
    what is missing in people rather than in evidence.
    """

    from_stage: Stage
    to_stage: Stage
    refusals: tuple[Refusal, ...]
    policy_result: PolicyResult | None
    approvals_required: int = 0
    approvals_given: int = 0
    warnings: tuple[Refusal, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing refuses the move."""
        return not self.refusals

    def refused_by(self, kind: RefusalKind) -> bool:
        """Whether a rule of this kind is among those that refuse."""
        return any(refusal.kind is kind for refusal in self.refusals)


def judge_transition(facts: TransitionFacts) -> TransitionJudgement:
    """Ask every rule about one move and collect all refusals.

    A policy speaks only on promotions (`is_promotion`), and also where the workflow refuses, so
    that a person sees at once all that stands in the way. A WIP limit speaks on every move from
    another stage.
    """
    refusals: list[Refusal] = []
    warnings: list[Refusal] = []
    workflow_refusal = facts.workflow.check(facts.from_stage, facts.to_stage)
    if workflow_refusal is not None:
        refusals.append(workflow_refusal)
    policy_result: PolicyResult | None = None
    required = 0
    if is_promotion(facts.from_stage, facts.to_stage):
        policy_result = facts.check_policy()
        required = facts.policy.required_approvals if facts.policy else 0
        said = refusals if policy_result.mode is Mode.ENFORCE else warnings
        said += [
            Refusal(RefusalKind.POLICY, f"requirement_{failure.outcome}", failure.sentence)
            for failure in policy_result.failures
        ]
        if len(facts.approvers) < required:
            said.append(_approvals_missing(len(facts.approvers), required))
    if facts.from_stage is not facts.to_stage:
        for load in facts.loads:
            if load.is_full:
                said = refusals if load.limit.mode is LimitMode.BLOCK else warnings
                said.append(load.refusal())
    return TransitionJudgement(
        from_stage=facts.from_stage,
        to_stage=facts.to_stage,
        refusals=tuple(refusals),
        policy_result=policy_result,
        approvals_required=required,
        approvals_given=len(facts.approvers),
        warnings=tuple(warnings),
    )


def judge_rollback(facts: TransitionFacts) -> TransitionJudgement:
    """What the rules say of a rollback, which none of them refuses: all of it is a warning."""
    judged = judge_transition(facts)
    said = tuple(r for r in judged.refusals if r.kind is not RefusalKind.WORKFLOW)
    return TransitionJudgement(
        from_stage=judged.from_stage,
        to_stage=judged.to_stage,
        refusals=(),
        policy_result=judged.policy_result,
        approvals_required=judged.approvals_required,
        approvals_given=judged.approvals_given,
        warnings=(*said, *judged.warnings),
    )


def _approvals_missing(given: int, required: int) -> Refusal:
    missing = required - given
    approvals = "approval is" if missing == 1 else "approvals are"
    return Refusal(
        RefusalKind.APPROVALS,
        "approvals_missing",
        f"{missing} more {approvals} needed ({given} of {required} given).",
    )
