"""Judging a move: all reasons at once."""

from __future__ import annotations

from obeya.errors import InvalidTransition, RefusalKind, TransitionRefused, refuse
from obeya.metrics import Metric
from obeya.policies import Comparison, Evidence, PromotionPolicy
from obeya.stages import STRICT, Stage
from obeya.transitions import TransitionFacts, TransitionJudgement, judge_transition

POLICY = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)


def judged(
    from_stage: Stage,
    to_stage: Stage,
    *,
    accuracy: float = 0.95,
    policy: PromotionPolicy | None = POLICY,
    approvals: int = 0,
) -> TransitionJudgement:
    return judge_transition(
        TransitionFacts(
            from_stage,
            to_stage,
            STRICT,
            Evidence(1, {"accuracy": Metric("accuracy", accuracy)}),
            policy,
            approvals=approvals,
        )
    )


def test_a_move_that_every_rule_lets_is_allowed() -> None:
    judgement = judged(Stage.STAGING, Stage.PRODUCTION)
    assert judgement.allowed
    assert judgement.verdict is not None
    assert judgement.verdict.passed


def test_workflow_policy_and_approvals_refuse_together() -> None:
    judgement = judged(
        Stage.DEVELOPMENT, Stage.PRODUCTION, accuracy=0.5, policy=POLICY.require_approvals(2)
    )
    assert [refusal.kind for refusal in judgement.refusals] == [
        RefusalKind.WORKFLOW,
        RefusalKind.POLICY,
        RefusalKind.APPROVALS,
    ]
    assert "2 more approvals are needed (0 of 2 given)." in judgement.refusals[-1].sentence


def test_enough_approvals_no_longer_refuse() -> None:
    policy = POLICY.require_approvals(2)
    one = judged(Stage.STAGING, Stage.PRODUCTION, policy=policy, approvals=1)
    assert "1 more approval is needed" in one.refusals[0].sentence
    assert judged(Stage.STAGING, Stage.PRODUCTION, policy=policy, approvals=2).allowed


def test_archiving_is_never_gated() -> None:
    judgement = judged(Stage.PRODUCTION, Stage.ARCHIVED, accuracy=0.0)
    assert judgement.allowed
    assert judgement.verdict is None


def test_without_a_policy_the_verdict_says_that_there_is_none() -> None:
    judgement = judged(Stage.STAGING, Stage.PRODUCTION, policy=None)
    assert judgement.allowed
    assert judgement.verdict is not None
    assert not judgement.verdict.has_policy


def test_the_error_is_an_invalid_transition_only_where_the_workflow_refuses() -> None:
    skip = judged(Stage.DEVELOPMENT, Stage.PRODUCTION)
    weak = judged(Stage.STAGING, Stage.PRODUCTION, accuracy=0.5)
    by_workflow = refuse(skip.refusals, from_stage=skip.from_stage, to_stage=skip.to_stage)
    by_policy = refuse(weak.refusals, from_stage=weak.from_stage, to_stage=weak.to_stage)
    assert isinstance(by_workflow, InvalidTransition)
    assert isinstance(by_policy, TransitionRefused)
    assert not isinstance(by_policy, InvalidTransition)
    assert (by_policy.http_status, by_policy.exit_status) == (422, 1)
    assert str(by_policy) == "accuracy is 0.5; required: ≥ 0.9."
