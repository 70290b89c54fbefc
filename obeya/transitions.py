"""Judging a move: workflow, policy and approvals together, all reasons at once."""

from __future__ import annotations

from dataclasses import dataclass

from obeya.errors import Refusal, RefusalKind
from obeya.policies import Evidence, PromotionPolicy, Verdict, no_policy
from obeya.stages import Stage, Workflow, is_promotion


@dataclass(frozen=True, slots=True)
class TransitionFacts:
    """All that a move is judged by.

    `policy` is the one that guards `to_stage`, None when none is set, and `policy_revision` its
    number; `champion` is the evidence of the version now in Production, None when there is none
    or it is this one; `approvals` counts those given.
    """

    from_stage: Stage
    to_stage: Stage
    workflow: Workflow
    evidence: Evidence
    policy: PromotionPolicy | None = None
    policy_revision: int | None = None
    champion: Evidence | None = None
    approvals: int = 0

    def check_policy(self) -> Verdict:
        """Hold the evidence against the policy alone; without one it passes and says so."""
        if self.policy is None:
            return no_policy(self.to_stage)
        return self.policy.check(self.evidence, self.champion, revision=self.policy_revision)


@dataclass(frozen=True, slots=True)
class TransitionJudgement:
    """Whether a move may be made, and every reason why not.

    `verdict` is the policy's, None where no policy can gate the move. `approvals_required` and
    `approvals_given` say what is missing in people rather than in evidence.
    """

    from_stage: Stage
    to_stage: Stage
    refusals: tuple[Refusal, ...]
    verdict: Verdict | None
    approvals_required: int = 0
    approvals_given: int = 0

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
    that a person sees at once all that stands in the way.
    """
    refusals: list[Refusal] = []
    workflow_refusal = facts.workflow.check(facts.from_stage, facts.to_stage)
    if workflow_refusal is not None:
        refusals.append(workflow_refusal)
    verdict: Verdict | None = None
    required = 0
    if is_promotion(facts.from_stage, facts.to_stage):
        verdict = facts.check_policy()
        required = facts.policy.required_approvals if facts.policy else 0
        refusals += [
            Refusal(RefusalKind.POLICY, f"requirement_{failure.outcome}", failure.sentence)
            for failure in verdict.failures
        ]
        if facts.approvals < required:
            refusals.append(_approvals_missing(facts.approvals, required))
    return TransitionJudgement(
        facts.from_stage, facts.to_stage, tuple(refusals), verdict, required, facts.approvals
    )


def _approvals_missing(given: int, required: int) -> Refusal:
    missing = required - given
    approvals = "approval is" if missing == 1 else "approvals are"
    return Refusal(
        RefusalKind.APPROVALS,
        "approvals_missing",
        f"{missing} more {approvals} needed ({given} of {required} given).",
    )
