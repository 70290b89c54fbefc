"""Behaviour of every registry: requests, waivers, rollback, guardrails and WIP limits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from obeya import Comparison, Metric, ModelRegistry, PromotionPolicy, Stage
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, RefusalKind
from obeya.policy.requirements import Outcome
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.refusals import InvalidTransition, TransitionRefused
from obeya.stages import OPEN, RETURNS
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit
from obeya.transitions.requests import Decision, RequestStatus
from tests.registry.conformance import ARCHIVED, DEV, NAME, PROD, STAGING, Clock, promote, unchanged

ActingAs = Callable[..., ModelRegistry]
ACCURATE = PromotionPolicy(PROD).require_metric("accuracy", Comparison.GTE, 0.9)
FOUR_EYES = PromotionPolicy(PROD).require_approvals(1)
LINE = "accuracy ≥ 0.9"


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    """Register v1, with an accuracy of 0.8, and move it to Staging."""
    any_registry.register_model(NAME, metrics={"accuracy": 0.8})
    any_registry.transition_stage(NAME, 1, STAGING)
    return any_registry


@pytest.fixture
def bob(registry: ModelRegistry, acting_as: ActingAs) -> ModelRegistry:
    return acting_as("bob")


@pytest.fixture
def carl(registry: ModelRegistry, acting_as: ActingAs) -> ModelRegistry:
    return acting_as("carl")


def stages(registry: ModelRegistry) -> list[str]:
    return [version.stage.value for version in registry.list_versions(NAME)]


def refusals(registry: ModelRegistry, version: int = 1, stage: Stage = PROD) -> list[RefusalKind]:
    with pytest.raises(TransitionRefused) as refused:
        registry.transition_stage(NAME, version, stage)
    return [refusal.kind for refusal in refused.value.refusals]


# Policies beyond thresholds


def test_a_version_is_compared_with_the_champion(registry: ModelRegistry) -> None:
    registry.transition_stage(NAME, 1, PROD)
    registry.register_model(NAME, metrics={"accuracy": 0.79})
    registry.transition_stage(NAME, 2, STAGING)
    strict = PromotionPolicy(PROD).require_against_champion("accuracy", Comparison.GTE)
    registry.set_policy(strict)
    (outcome,) = registry.check_promotion_policy(NAME, 2).outcomes
    assert (outcome.outcome, outcome.observed, outcome.bound) == (Outcome.FAILED, 0.79, 0.8)
    assert "v1" in outcome.sentence
    tolerant = PromotionPolicy(PROD).require_against_champion(
        "accuracy", Comparison.GTE, -2, in_percent=True
    )
    registry.set_policy(tolerant)
    assert registry.check_promotion_policy(NAME, 2).passed
    registry.transition_stage(NAME, 2, PROD)


def test_values_on_different_datasets_are_not_comparable(registry: ModelRegistry) -> None:
    registry.log_metrics(NAME, 1, {"auc": Metric("auc", 0.7, dataset="old")})
    registry.transition_stage(NAME, 1, PROD)
    registry.register_model(NAME, metrics={"auc": Metric("auc", 0.9, dataset="new")})
    policy = PromotionPolicy().require_against_champion("auc", Comparison.GTE)
    (outcome,) = registry.check_promotion_policy(NAME, 2, policy).outcomes
    assert outcome.outcome is Outcome.NOT_COMPARABLE
    assert "old" in outcome.sentence and "new" in outcome.sentence  # noqa: PT018 - both datasets


def test_tags_description_and_time_can_be_required(registry: ModelRegistry, clock: Clock) -> None:
    policy = PromotionPolicy(PROD)
    for requirement in (RequiredTag("risk", "low"), RequiredDescription(), TimeInStage(24)):
        policy = policy.require(requirement)
    registry.set_policy(policy)
    assert refusals(registry) == [RefusalKind.POLICY] * 3
    registry.set_tag(NAME, "risk", "low", 1)
    registry.set_description(NAME, "Tried on Tuesday.", 1)
    assert refusals(registry) == [RefusalKind.POLICY]
    clock.now += timedelta(hours=24)
    assert registry.transition_stage(NAME, 1, PROD).to_stage is PROD


def test_a_policy_that_warns_refuses_nothing(registry: ModelRegistry) -> None:
    registry.set_policy(dataclasses.replace(ACCURATE.require_approvals(2), mode=Mode.WARN))
    judgement = registry.can_promote(NAME, 1)
    assert judgement.allowed
    assert [warning.kind for warning in judgement.warnings] == [
        RefusalKind.POLICY,
        RefusalKind.APPROVALS,
    ]
    registry.transition_stage(NAME, 1, PROD)


# Requests


def test_an_approval_by_someone_else_permits_the_move(
    registry: ModelRegistry, bob: ModelRegistry
) -> None:
    registry.set_policy(FOUR_EYES)
    opened = registry.request_transition(NAME, 1, reason="It is better.")
    assert (opened.status, opened.to_stage, opened.requested_by) == (
        RequestStatus.OPEN,
        PROD,
        "alice",
    )
    assert refusals(registry) == [RefusalKind.APPROVALS]
    approved = bob.approve(NAME, 1, comment="Yes.")
    assert (approved.status, approved.approved_by) == (RequestStatus.OPEN, ("bob",))
    assert stages(registry) == ["staging"]
    registry.transition_stage(NAME, 1, PROD)
    (done,) = registry.get_requests(NAME)
    assert (done.status, [review.comment for review in done.reviews]) == (
        RequestStatus.COMPLETED,
        ["Yes."],
    )


def test_no_one_can_approve_their_own_request(registry: ModelRegistry) -> None:
    registry.set_policy(FOUR_EYES)
    registry.request_transition(NAME, 1)
    before = registry.get_requests(NAME)
    with unchanged(registry), pytest.raises(NotAllowed, match="your own request"):
        registry.approve(NAME, 1)
    assert registry.get_requests(NAME)[0].reviews == before[0].reviews == ()


def test_two_approvals_are_those_of_two_people(
    registry: ModelRegistry, bob: ModelRegistry, carl: ModelRegistry
) -> None:
    registry.set_policy(PromotionPolicy(PROD).require_approvals(2))
    registry.request_transition(NAME, 1)
    bob.approve(NAME, 1)
    assert bob.approve(NAME, 1, comment="Again.").approved_by == ("bob",)
    assert refusals(registry) == [RefusalKind.APPROVALS]
    assert carl.approve(NAME, 1).approved_by == ("bob", "carl")
    assert registry.can_promote(NAME, 1).allowed


def test_an_approval_by_a_service_account_counts_only_if_the_policy_says_so(
    registry: ModelRegistry, bob: ModelRegistry, acting_as: ActingAs
) -> None:
    registry.set_policy(dataclasses.replace(FOUR_EYES, auto_promote=True))
    registry.request_transition(NAME, 1)
    bot = acting_as("bot", is_service=True)
    given = bot.approve(NAME, 1, comment="Looks fine.")
    assert [(review.reviewer, review.is_service) for review in given.reviews] == [("bot", True)]
    assert (given.status, given.approved_by, given.ignored_by) == (
        RequestStatus.OPEN,
        (),
        ("bot",),
    )
    judgement = registry.can_promote(NAME, 1)
    assert (judgement.approvals_given, judgement.approvals_ignored) == (0, 1)
    (refusal,) = judgement.refusals
    assert refusal.sentence == (
        "1 more approval is needed (0 of 1 given). 1 approval by a service account does not count."
    )
    # The approvals are bound to the policy, so they have to be given again.
    registry.set_policy(dataclasses.replace(FOUR_EYES, count_service_approvals=True))
    assert registry.get_policy(PROD) == dataclasses.replace(FOUR_EYES, count_service_approvals=True)
    assert refusals(registry) == [RefusalKind.APPROVALS]
    assert bot.approve(NAME, 1).approved_by == ("bot",)
    assert registry.can_promote(NAME, 1).allowed
    registry.set_policy(FOUR_EYES)
    assert bob.approve(NAME, 1).approved_by == ("bob",)
    registry.transition_stage(NAME, 1, PROD)


@pytest.mark.parametrize("auto", [True, False])
def test_the_last_approval_moves_the_version_only_if_the_policy_says_so(
    registry: ModelRegistry, bob: ModelRegistry, *, auto: bool
) -> None:
    registry.set_policy(dataclasses.replace(FOUR_EYES, auto_promote=auto))
    registry.request_transition(NAME, 1, reason="Go.")
    request = bob.approve(NAME, 1)
    assert request.status is (RequestStatus.COMPLETED if auto else RequestStatus.OPEN)
    assert stages(registry) == ["production" if auto else "staging"]
    if auto:
        move = registry.get_transitions(NAME)[-1]
        assert (move.actor, move.reason) == ("system", "Go.")


def test_an_approval_never_moves_what_fails_the_policy(
    registry: ModelRegistry, bob: ModelRegistry
) -> None:
    registry.set_policy(dataclasses.replace(ACCURATE.require_approvals(1), auto_promote=True))
    registry.request_transition(NAME, 1)
    assert bob.approve(NAME, 1).status is RequestStatus.OPEN
    registry.log_metrics(NAME, 1, {"accuracy": 0.95})
    assert stages(registry) == ["staging"]


@pytest.mark.parametrize("change", ["metric", "description", "policy", "champion"])
def test_an_approval_expires_when_the_evidence_changes(
    registry: ModelRegistry, bob: ModelRegistry, change: str
) -> None:
    registry.set_policy(FOUR_EYES)
    registry.request_transition(NAME, 1)
    first = bob.approve(NAME, 1)
    match change:
        case "metric":
            registry.log_metrics(NAME, 1, {"f1": 0.5})
        case "description":
            registry.set_description(NAME, "Other data.", 1)
        case "policy":
            registry.set_policy(FOUR_EYES.require_metric("accuracy", Comparison.GTE, 0.1))
        case "champion":
            registry.set_policy(PromotionPolicy(PROD))
            registry.register_model(NAME)
            promote(registry, 2)
            registry.set_policy(FOUR_EYES)
    (now,) = registry.get_requests(NAME, 1)
    assert now.evidence_digest != first.evidence_digest
    assert (now.approved_by, [review.reviewer for review in now.stale_approvals]) == ((), ["bob"])
    assert refusals(registry) == [RefusalKind.APPROVALS]
    assert bob.approve(NAME, 1).approved_by == ("bob",)
    registry.transition_stage(NAME, 1, PROD)


def test_changes_that_the_policy_ignores_keep_an_approval_valid(
    registry: ModelRegistry, bob: ModelRegistry
) -> None:
    registry.set_policy(FOUR_EYES)
    registry.request_transition(NAME, 1)
    bob.approve(NAME, 1)
    registry.set_tag(NAME, "team", "nlp", 1)
    assert registry.get_requests(NAME)[0].approved_by == ("bob",)


def test_one_rejection_closes_the_request(registry: ModelRegistry, bob: ModelRegistry) -> None:
    registry.set_policy(FOUR_EYES)
    registry.request_transition(NAME, 1)
    with pytest.raises(InvalidInput, match="A comment is required"):
        bob.reject(NAME, 1, comment=" ")
    closed = bob.reject(NAME, 1, comment="Too slow.")
    assert closed.status is RequestStatus.REJECTED
    assert (closed.reviews[-1].decision, closed.reviews[-1].comment) == (
        Decision.REJECT,
        "Too slow.",
    )
    with pytest.raises(NotFound, match="no open request"):
        bob.approve(NAME, 1)
    assert registry.request_transition(NAME, 1).status is RequestStatus.OPEN


def test_only_the_requester_can_withdraw_a_request(
    registry: ModelRegistry, bob: ModelRegistry
) -> None:
    registry.request_transition(NAME, 1)
    with pytest.raises(NotAllowed, match="Only the requester"):
        bob.withdraw(NAME, 1)
    assert registry.withdraw(NAME, 1).status is RequestStatus.WITHDRAWN


def test_a_request_expires(registry: ModelRegistry, bob: ModelRegistry, clock: Clock) -> None:
    registry.set_policy(FOUR_EYES)
    registry.request_transition(NAME, 1)
    bob.approve(NAME, 1)
    clock.now += timedelta(days=14)
    assert registry.get_requests(NAME)[0].status is RequestStatus.EXPIRED
    assert refusals(registry) == [RefusalKind.APPROVALS]
    with pytest.raises(NotFound, match="no open request"):
        bob.approve(NAME, 1)
    registry.request_transition(NAME, 1)
    assert [r.status for r in registry.get_requests(NAME)] == [
        RequestStatus.OPEN,
        RequestStatus.EXPIRED,
    ]


def test_a_decision_on_an_unknown_version_closes_no_request(
    registry: ModelRegistry, bob: ModelRegistry, clock: Clock
) -> None:
    registry.request_transition(NAME, 1)
    clock.now += timedelta(days=14)
    with unchanged(registry):
        with pytest.raises(NotFound, match="9"):
            bob.reject(NAME, 9, comment="No.")
        with pytest.raises(NotFound, match="9"):
            registry.withdraw(NAME, 9)


def test_another_move_or_a_deletion_withdraws_the_request(registry: ModelRegistry) -> None:
    registry.request_transition(NAME, 1)
    registry.transition_stage(NAME, 1, ARCHIVED)
    assert registry.get_requests(NAME)[0].status is RequestStatus.WITHDRAWN


@pytest.mark.parametrize("workflow", [RETURNS])
def test_invalid_requests_are_refused(registry: ModelRegistry) -> None:
    registry.request_transition(NAME, 1)
    with unchanged(registry):
        with pytest.raises(AlreadyExists, match="open request"):
            registry.request_transition(NAME, 1)
        with pytest.raises(InvalidInput, match="needs no approval"):
            registry.request_transition(NAME, 1, DEV)
        with pytest.raises(InvalidTransition):
            registry.request_transition(NAME, 1, STAGING)
        with pytest.raises(NotFound):
            registry.request_transition(NAME, 2)
    assert len(registry.get_requests(NAME)) == 1


@pytest.mark.parametrize("workflow", [OPEN])
def test_with_several_open_requests_the_stage_must_be_named(
    registry: ModelRegistry, bob: ModelRegistry
) -> None:
    registry.register_model(NAME)
    registry.request_transition(NAME, 2, STAGING)
    registry.request_transition(NAME, 2, PROD)
    with pytest.raises(InvalidInput, match="Choose the stage"):
        bob.approve(NAME, 2)
    assert bob.approve(NAME, 2, to_stage=PROD).to_stage is PROD


# Waivers


def test_a_waiver_lets_the_named_requirement_pass(registry: ModelRegistry, clock: Clock) -> None:
    registry.set_policy(ACCURATE.require_metric("f1", Comparison.GTE, 0.5))
    until = clock.now + timedelta(days=7)
    waiver = registry.waive(NAME, 1, [LINE], reason="Known gap.", expires_at=until)
    assert (waiver.requirements, waiver.granted_by, waiver.stage) == ((LINE,), "alice", PROD)
    policy_result = registry.check_promotion_policy(NAME, 1)
    assert [o.outcome for o in policy_result.outcomes] == [Outcome.WAIVED, Outcome.MISSING]
    assert policy_result.outcomes[0].waiver == waiver.id
    registry.log_metrics(NAME, 1, {"f1": 0.6})
    assert registry.check_promotion_policy(NAME, 1).sentence.endswith(", 1 by waiver.")
    registry.transition_stage(NAME, 1, PROD)


def test_a_waiver_expires(registry: ModelRegistry, clock: Clock) -> None:
    registry.set_policy(ACCURATE)
    until = clock.now + timedelta(days=7)
    registry.waive(NAME, 1, [LINE], reason="Known gap.", expires_at=until)
    clock.now += timedelta(days=8)
    assert refusals(registry) == [RefusalKind.POLICY]


def test_a_waiver_covers_one_version_and_one_exact_requirement(
    registry: ModelRegistry, clock: Clock
) -> None:
    registry.set_policy(ACCURATE)
    registry.register_model(NAME, metrics={"accuracy": 0.8})
    registry.transition_stage(NAME, 2, STAGING)
    until = clock.now + timedelta(days=7)
    registry.waive(NAME, 1, [LINE], reason="Known gap.", expires_at=until)
    assert refusals(registry, 2) == [RefusalKind.POLICY]
    registry.set_policy(PromotionPolicy(PROD).require_metric("accuracy", Comparison.GTE, 0.95))
    assert refusals(registry, 1) == [RefusalKind.POLICY]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"requirements": ["f1 ≥ 1"]}, "no requirement “f1 ≥ 1”"),
        ({"requirements": []}, "at least one requirement"),
        ({"reason": "  "}, "A reason is required"),
        ({"expires_at": timedelta(0)}, "in the future"),
        ({"to_stage": STAGING}, "No policy applies to a move from Staging"),
    ],
    ids=["line", "none", "reason", "expiry", "stage"],
)
def test_invalid_waivers_are_refused(
    registry: ModelRegistry, clock: Clock, more: dict[str, Any], says: str
) -> None:
    registry.set_policy(ACCURATE)
    given = {"requirements": [LINE], "reason": "Why.", "expires_at": timedelta(days=1), **more}
    given["expires_at"] = clock.now + given["expires_at"]
    with unchanged(registry), pytest.raises(InvalidInput, match=says):
        registry.waive(NAME, 1, **given)
    assert not registry.check_promotion_policy(NAME, 1).passed


# Rollback


@pytest.fixture
def three(registry: ModelRegistry) -> ModelRegistry:
    """Register v3, now in Production, after v1 and v2, now archived."""
    registry.transition_stage(NAME, 1, PROD)
    for number in (2, 3):
        registry.register_model(NAME)
        promote(registry, number, archive_existing=True)
    assert stages(registry) == ["archived", "archived", "production"]
    return registry


def test_a_rollback_restores_the_last_good_version(three: ModelRegistry) -> None:
    made = three.rollback(NAME, reason="Errors.")
    assert (made.version, made.to_stage, made.archived, made.is_rollback) == (2, PROD, (3,), True)
    assert stages(three) == ["archived", "production", "archived"]
    out, back = three.get_transitions(NAME)[-2:]
    assert out.operation_id == back.operation_id == made.operation_id
    assert (out.is_rollback, back.is_rollback, back.reason) == (True, True, "Errors.")


def test_a_rolled_back_version_is_not_restored_by_the_next_rollback(three: ModelRegistry) -> None:
    three.rollback(NAME, reason="Errors.")
    assert three.rollback(NAME, reason="Still.").version == 1
    with unchanged(three), pytest.raises(InvalidInput, match="Choose the version"):
        three.rollback(NAME, reason="And now?")
    assert three.rollback(NAME, 3, reason="By name.").version == 3


def test_a_deleted_version_is_skipped(three: ModelRegistry) -> None:
    three.delete_version(NAME, 2)
    assert three.rollback(NAME, reason="Errors.").version == 1


def test_neither_policy_nor_limit_stops_a_rollback(three: ModelRegistry) -> None:
    three.set_policy(ACCURATE.require_approvals(3))
    three.set_wip_limit(WipLimit(PROD, 1))
    assert three.rollback(NAME, reason="Errors.").version == 2


@pytest.mark.parametrize(
    ("version", "reason", "error", "says"),
    [
        (3, "x", InvalidInput, "already in Production"),
        (4, "x", InvalidInput, "was never in Production"),
        (9, "x", NotFound, "no version 9"),
        (None, " ", InvalidInput, "A reason is required to roll back"),
    ],
)
def test_invalid_rollbacks_are_refused(
    three: ModelRegistry, version: int | None, reason: str, error: type[Exception], says: str
) -> None:
    three.register_model(NAME)
    with unchanged(three), pytest.raises(error, match=says):
        three.rollback(NAME, version, reason=reason)


# Guardrails


def test_a_breach_raises_an_alert_and_moves_nothing(three: ModelRegistry) -> None:
    three.set_guardrail(NAME, Guardrail("errors", Comparison.LTE, 0.1))
    fine = three.report_live_metric(NAME, "errors", 0.05)
    assert (fine.version, fine.breached, fine.rolled_back_to) == (3, False, None)
    bad = three.report_live_metric(NAME, "errors", 0.2)
    assert (bad.breached, bad.rolled_back_to) == (True, None)
    assert bad.sentence == "v3: live errors is 0.2; required: ≤ 0.1."
    assert stages(three) == ["archived", "archived", "production"]


def test_a_guardrail_can_roll_back_automatically(three: ModelRegistry) -> None:
    three.set_guardrail(NAME, Guardrail("errors", Comparison.LTE, 0.1, auto_rollback=True))
    assert three.report_live_metric(NAME, "errors", 0.2).rolled_back_to == 2
    move = three.get_transitions(NAME)[-1]
    assert (move.version, move.actor, move.is_rollback) == (2, "system", True)
    assert "live errors is 0.2" in move.reason


def test_a_guardrail_without_a_rollback_target_only_alerts(registry: ModelRegistry) -> None:
    registry.transition_stage(NAME, 1, PROD)
    registry.set_guardrail(NAME, Guardrail("errors", Comparison.LTE, 0.1, auto_rollback=True))
    assert registry.report_live_metric(NAME, "errors", 0.2).rolled_back_to is None
    assert stages(registry) == ["production"]


def test_without_a_guardrail_a_live_value_is_only_stored(three: ModelRegistry) -> None:
    report = three.report_live_metric(NAME, "errors", 9)
    assert (report.guardrail, report.breached) == (None, False)


def test_invalid_live_values_are_refused(three: ModelRegistry) -> None:
    with unchanged(three):
        with pytest.raises(InvalidInput, match="finite"):
            three.report_live_metric(NAME, "errors", math.nan)
        with pytest.raises(InvalidInput, match="v1 is not in Production"):
            three.report_live_metric(NAME, "errors", 1, version=1)
        with pytest.raises(NotFound, match="no guardrail"):
            three.remove_guardrail(NAME, "errors")
    three.set_guardrail(NAME, Guardrail("errors", Comparison.LTE, 0.1))
    three.remove_guardrail(NAME, "errors")
    assert three.report_live_metric(NAME, "errors", 9).guardrail is None


# WIP limits


def test_a_full_stage_refuses_and_lists_its_versions(three: ModelRegistry) -> None:
    three.set_wip_limit(WipLimit(PROD, 1), NAME)
    three.register_model(NAME)
    three.transition_stage(NAME, 4, STAGING)
    with unchanged(three), pytest.raises(TransitionRefused, match=r"full: .* \(v3\)") as refused:
        three.transition_stage(NAME, 4, PROD)
    assert [r.kind for r in refused.value.refusals] == [RefusalKind.WIP_LIMIT]
    three.transition_stage(NAME, 4, PROD, archive_existing=True)
    assert stages(three)[2:] == ["archived", "production"]


def test_a_limit_of_the_registry_counts_every_model(three: ModelRegistry) -> None:
    three.set_wip_limit(WipLimit(PROD, 1))
    three.register_model("other")
    three.transition_stage("other", 1, STAGING)
    with pytest.raises(TransitionRefused, match=f"{NAME} v3.* across all models"):
        three.transition_stage("other", 1, PROD)
    three.set_wip_limit(WipLimit(PROD, 2))
    three.transition_stage("other", 1, PROD)


def test_a_limit_that_warns_refuses_nothing(three: ModelRegistry) -> None:
    three.set_wip_limit(WipLimit(PROD, 1, LimitMode.WARN), NAME)
    three.register_model(NAME)
    three.transition_stage(NAME, 4, STAGING)
    assert [w.kind for w in three.can_promote(NAME, 4).warnings] == [RefusalKind.WIP_LIMIT]
    three.transition_stage(NAME, 4, PROD)


def test_all_refusals_are_reported_together(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_wip_limit(WipLimit(STAGING, 1), NAME)
    registry.set_policy(
        PromotionPolicy(STAGING).require_metric("f1", Comparison.GT, 1).require_approvals(1)
    )
    assert refusals(registry, 2, STAGING) == [
        RefusalKind.POLICY,
        RefusalKind.APPROVALS,
        RefusalKind.WIP_LIMIT,
    ]


def test_invalid_limits_are_refused(registry: ModelRegistry) -> None:
    for stage, limit in ((ARCHIVED, 1), (PROD, 0), (PROD, True), (PROD, 1.5)):
        with pytest.raises(InvalidInput):
            WipLimit(stage, limit)  # type: ignore[arg-type]  # what programs send
    with unchanged(registry), pytest.raises(NotFound, match="no WIP limit"):
        registry.remove_wip_limit(PROD, NAME)
