"""The judgement of a move by workflow, policy, approvals and WIP limits, with every reason."""

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
from obeya.transitions.requests import Review, approvers, evidence_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionFacts:
    """The inputs for judging a move.

    `policy` is the policy in force for `to_stage`, None if there is none, and `policy_revision` its
    revision number; `champion` is the evidence of the version in Production, None if there is none
    or it is this one; `approvals` are those of the evidence, of which the policy counts those in
    `approvers`; `waivers` are those of the version for `to_stage`, of which those active `at`
    count; `loads` are the version counts for the WIP limits of `to_stage`. `definitions` can be
    empty if the policy does not use noise.
    """

    from_stage: Stage
    to_stage: Stage
    workflow: Workflow
    evidence: Evidence
    policy: PromotionPolicy | None = None
    policy_revision: int | None = None
    champion: Evidence | None = None
    definitions: Definitions = field(default_factory=dict)
    approvals: tuple[Review, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    loads: tuple[StageLoad, ...] = ()
    at: datetime | None = None

    def check_policy(self) -> PolicyResult:
        """Check the evidence against the policy only; without a policy it passes and says so."""
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
    def approvers(self) -> tuple[str, ...]:
        """The users whose approvals count by the policy in force."""
        return approvers(self.approvals, count_services=self.counts_services)

    @property
    def counts_services(self) -> bool:
        """Whether the policy in force counts approvals by service accounts."""
        return self.policy is not None and self.policy.count_service_approvals

    @property
    def evidence_digest(self) -> str:
        """The digest that an approval of this move is bound to."""
        return evidence_digest(self.evidence, self.champion, self.policy, self.definitions)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionJudgement:
    """Whether a move is allowed, and every reason against it.

    `policy_result` is the result of the policy check, None if no policy applies to the move.
    `warnings` are those of a policy or WIP limit that only warns. `approvals_required` and
    `approvals_given` are the numbers of approvals; `approvals_ignored` is the number of those by
    service accounts that the policy does not count.
    """

    from_stage: Stage
    to_stage: Stage
    refusals: tuple[Refusal, ...]
    policy_result: PolicyResult | None
    approvals_required: int = 0
    approvals_given: int = 0
    approvals_ignored: int = 0
    warnings: tuple[Refusal, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether no rule refuses the move."""
        return not self.refusals

    @property
    def sentence(self) -> str:
        """The policy result, and the number of approvals if the policy requires some.

        Empty if no policy applies to the move.
        """
        if self.policy_result is None:
            return ""
        if not self.approvals_required:
            return self.policy_result.sentence
        approvals = "approval" if self.approvals_required == 1 else "approvals"
        given = f"{self.approvals_given} of {self.approvals_required} {approvals} given."
        return f"{self.policy_result.sentence} {given} {self.ignored_sentence}".rstrip()

    @property
    def ignored_sentence(self) -> str:
        """A sentence about the approvals that do not count; empty if all count."""
        return ignored_approvals(self.approvals_ignored)

    def refused_by(self, kind: RefusalKind) -> bool:
        """Return whether a rule of this kind refuses the move."""
        return any(refusal.kind is kind for refusal in self.refusals)


def judge_transition(facts: TransitionFacts) -> TransitionJudgement:
    """Judge a move by every rule and collect all refusals.

    A policy is checked only for promotions (`is_promotion`), even if the workflow refuses, so that
    users see all blockers together. A WIP limit is checked for every move from another stage.
    """
    refusals: list[Refusal] = []
    warnings: list[Refusal] = []
    workflow_refusal = facts.workflow.check(facts.from_stage, facts.to_stage)
    if workflow_refusal is not None:
        refusals.append(workflow_refusal)
    policy_result: PolicyResult | None = None
    required, counted = 0, len(facts.approvers)
    ignored = len(facts.approvals) - counted
    if is_promotion(facts.from_stage, facts.to_stage):
        policy_result = facts.check_policy()
        required = facts.policy.required_approvals if facts.policy else 0
        said = refusals if policy_result.mode is Mode.ENFORCE else warnings
        said += [
            Refusal(RefusalKind.POLICY, f"requirement_{failure.outcome}", failure.sentence)
            for failure in policy_result.failures
        ]
        if counted < required:
            said.append(_approvals_missing(counted, required, ignored))
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
        approvals_given=counted,
        approvals_ignored=ignored,
        warnings=tuple(warnings),
    )


def judge_rollback(facts: TransitionFacts) -> TransitionJudgement:
    """Judge a rollback, which no rule refuses.

    Every refusal becomes a warning, except that of the workflow, which is ignored.
    """
    judged = judge_transition(facts)
    said = tuple(r for r in judged.refusals if r.kind is not RefusalKind.WORKFLOW)
    return TransitionJudgement(
        from_stage=judged.from_stage,
        to_stage=judged.to_stage,
        refusals=(),
        policy_result=judged.policy_result,
        approvals_required=judged.approvals_required,
        approvals_given=judged.approvals_given,
        approvals_ignored=judged.approvals_ignored,
        warnings=(*said, *judged.warnings),
    )


def ignored_approvals(count: int) -> str:
    """Return a sentence about the approvals that do not count; empty for none."""
    if not count:
        return ""
    if count == 1:
        return "1 approval by a service account does not count."
    return f"{count} approvals by service accounts do not count."


def _approvals_missing(given: int, required: int, ignored: int) -> Refusal:
    missing = required - given
    approvals = "approval is" if missing == 1 else "approvals are"
    return Refusal(
        RefusalKind.APPROVALS,
        "approvals_missing",
        f"{missing} more {approvals} needed ({given} of {required} given). "
        f"{ignored_approvals(ignored)}".rstrip(),
    )
