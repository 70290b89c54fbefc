"""The decision on a move, which lists all refusals together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from obeya.errors import RefusalKind
from obeya.metrics import Metric
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Evidence
from obeya.refusals import InvalidTransition, TransitionRefused, refuse
from obeya.stages import OPEN, RETURNS, STRICT, Stage, Workflow
from obeya.transitions.judge import TransitionFacts, TransitionJudgement, judge_transition
from obeya.transitions.requests import Decision, Review

POLICY = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)


def judged(
    from_stage: Stage,
    to_stage: Stage,
    *,
    accuracy: float = 0.95,
    policy: PromotionPolicy | None = POLICY,
    approvals: int = 0,
    by_services: int = 0,
    workflow: Workflow = STRICT,
    champion: float | None = None,
) -> TransitionJudgement:
    return judge_transition(
        TransitionFacts(
            from_stage=from_stage,
            to_stage=to_stage,
            workflow=workflow,
            evidence=Evidence(version=1, metrics={"accuracy": Metric("accuracy", accuracy)}),
            policy=policy,
            policy_revision=7,
            champion=None
            if champion is None
            else Evidence(version=2, metrics={"accuracy": Metric("accuracy", champion)}),
            approvals=(
                *(approval(f"person {n}") for n in range(approvals)),
                *(approval(f"bot {n}", is_service=True) for n in range(by_services)),
            ),
        )
    )


def approval(reviewer: str, *, is_service: bool = False) -> Review:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    return Review(reviewer, Decision.APPROVE, "digest", at, is_service=is_service)


def test_a_move_that_no_rule_refuses_is_allowed() -> None:
    judgement = judged(Stage.STAGING, Stage.PRODUCTION)
    assert judgement.allowed
    assert judgement.policy_result is not None
    assert judgement.policy_result.passed


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


def test_no_policy_applies_to_archiving() -> None:
    judgement = judged(Stage.PRODUCTION, Stage.ARCHIVED, accuracy=0.0)
    assert judgement.allowed
    assert judgement.policy_result is None


def test_without_a_policy_the_policy_result_says_that_there_is_none() -> None:
    judgement = judged(Stage.STAGING, Stage.PRODUCTION, policy=None)
    assert judgement.allowed
    assert judgement.policy_result is not None
    assert not judgement.policy_result.has_policy


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


def test_a_policy_result_names_its_revision_and_baseline() -> None:
    policy_result = judged(Stage.STAGING, Stage.PRODUCTION, champion=0.93).policy_result
    assert policy_result is not None
    assert policy_result.policy_revision == 7
    assert policy_result.outcomes[0].baseline == 0.93


def test_every_failure_of_the_policy_is_a_refusal_with_its_own_code() -> None:
    policy = POLICY.require_metric("f1", Comparison.GTE, 0.9)
    judgement = judged(Stage.STAGING, Stage.PRODUCTION, accuracy=0.5, policy=policy)
    assert [(r.code, r.sentence) for r in judgement.refusals] == [
        ("requirement_failed", "accuracy is 0.5; required: ≥ 0.9."),
        ("requirement_missing", "f1 was not measured."),
    ]
    assert judgement.refused_by(RefusalKind.POLICY)
    assert not judgement.refused_by(RefusalKind.WORKFLOW)


@pytest.mark.parametrize(
    ("workflow", "from_stage", "to_stage"),
    [
        (STRICT, Stage.PRODUCTION, Stage.ARCHIVED),
        (RETURNS, Stage.PRODUCTION, Stage.STAGING),
        (RETURNS, Stage.STAGING, Stage.DEVELOPMENT),
        (RETURNS, Stage.ARCHIVED, Stage.DEVELOPMENT),
        (OPEN, Stage.PRODUCTION, Stage.DEVELOPMENT),
    ],
)
def test_evidence_and_approvals_are_required_only_for_promotions(
    workflow: Workflow, from_stage: Stage, to_stage: Stage
) -> None:
    policy = POLICY.require_approvals(2)
    judgement = judged(from_stage, to_stage, accuracy=0.0, policy=policy, workflow=workflow)
    assert judgement.allowed
    assert (judgement.policy_result, judgement.approvals_required) == (None, 0)


@pytest.mark.parametrize("from_stage", [Stage.DEVELOPMENT, Stage.STAGING, Stage.ARCHIVED])
def test_the_open_workflow_allows_every_move_and_policies_still_apply(from_stage: Stage) -> None:
    weak = judged(from_stage, Stage.PRODUCTION, accuracy=0.5, workflow=OPEN)
    assert [refusal.kind for refusal in weak.refusals] == [RefusalKind.POLICY]
    assert judged(from_stage, Stage.PRODUCTION, workflow=OPEN).allowed


def test_a_move_to_the_current_stage_has_no_other_refusals() -> None:
    judgement = judged(
        Stage.PRODUCTION, Stage.PRODUCTION, accuracy=0.5, policy=POLICY.require_approvals(2)
    )
    assert [refusal.code for refusal in judgement.refusals] == ["already_there"]


def test_the_policy_decides_whether_approvals_by_service_accounts_count() -> None:
    policy = POLICY.require_approvals(2)
    judgement = judged(Stage.STAGING, Stage.PRODUCTION, policy=policy, approvals=1, by_services=2)
    assert [refusal.sentence for refusal in judgement.refusals] == [
        "1 more approval is needed (1 of 2 given). 2 approvals by service accounts do not count."
    ]
    assert judgement.sentence.endswith(
        "1 of 2 approvals given. 2 approvals by service accounts do not count."
    )
    counting = replace(policy, count_service_approvals=True)
    judgement = judged(Stage.STAGING, Stage.PRODUCTION, policy=counting, approvals=1, by_services=2)
    assert (judgement.allowed, judgement.approvals_given, judgement.approvals_ignored) == (
        True,
        3,
        0,
    )
    assert judgement.sentence.endswith("3 of 2 approvals given.")


def test_approvals_are_counted_separately_and_can_exceed_the_requirement() -> None:
    policy = POLICY.require_approvals(1)
    judgement = judged(Stage.STAGING, Stage.PRODUCTION, policy=policy, approvals=3)
    assert judgement.allowed
    assert (judgement.approvals_required, judgement.approvals_given) == (1, 3)
