"""Moves in every registry: workflow, history, policies and champion."""

from __future__ import annotations

from datetime import timedelta

import pytest

from obeya import (
    Comparison,
    InvalidInput,
    InvalidTransition,
    ModelRegistry,
    PromotionPolicy,
    Stage,
    TransitionRefused,
)
from obeya.errors import RefusalKind
from obeya.stages import WORKFLOWS, Workflow
from tests.registry.conformance import (
    ARCHIVED,
    DEV,
    NAME,
    PROD,
    STAGING,
    Clock,
    floor,
    numbers_of,
    promote,
    unchanged,
)

# Moves into each stage that every workflow allows.
WAY_TO = {DEV: (), STAGING: (STAGING,), PROD: (STAGING, PROD), ARCHIVED: (ARCHIVED,)}


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    return any_registry


# The workflow

in_each_workflow = pytest.mark.parametrize("workflow", list(WORKFLOWS.values()), ids=WORKFLOWS)


@in_each_workflow
def test_each_workflow_allows_its_moves_and_no_others(
    registry: ModelRegistry, workflow: Workflow
) -> None:
    for from_stage in Stage:
        for to_stage in Stage:
            number = registry.register_model(NAME).version
            for stage in WAY_TO[from_stage]:
                registry.transition_stage(NAME, number, stage)
            refusal = workflow.check(from_stage, to_stage)
            if refusal is None:
                assert registry.can_promote(NAME, number, to_stage).allowed
                registry.transition_stage(NAME, number, to_stage)
                assert registry.get_version(NAME, number).stage is to_stage
                continue
            with unchanged(registry), pytest.raises(InvalidTransition) as error:
                registry.transition_stage(NAME, number, to_stage)
            assert error.value.refusals == (refusal,)
            assert registry.can_promote(NAME, number, to_stage).refusals == (refusal,)


@in_each_workflow
def test_policies_apply_only_to_promotions_in_each_workflow(
    registry: ModelRegistry, workflow: Workflow
) -> None:
    for _ in range(4):
        registry.register_model(NAME)
    for number, to_stage in enumerate(Stage, start=1):
        for stage in WAY_TO[to_stage]:
            registry.transition_stage(NAME, number, stage)
    for stage in (STAGING, PROD):
        registry.set_policy(floor(stage).require_approvals(1))
    gated = {(DEV, STAGING), (DEV, PROD), (STAGING, PROD), (ARCHIVED, STAGING), (ARCHIVED, PROD)}
    for number, from_stage in enumerate(Stage, start=1):
        for to_stage in set(Stage) - {from_stage}:
            judgement = registry.can_promote(NAME, number, to_stage)
            kinds = {refusal.kind for refusal in judgement.refusals}
            by_rules = kinds - {RefusalKind.WORKFLOW}
            is_gated = (from_stage, to_stage) in gated
            assert bool(by_rules) == is_gated
            assert (judgement.policy_result is not None) == is_gated
            assert by_rules <= {RefusalKind.POLICY, RefusalKind.APPROVALS}


# Moving


def test_a_version_moves_and_its_history_says_who_when_and_why(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    moved = registry.transition_stage(NAME, 1, STAGING, reason=" good enough\n")
    assert (moved.model, moved.version, moved.actor) == (NAME, 1, "alice")
    assert (moved.from_stage, moved.to_stage, moved.reason) == (DEV, STAGING, "good enough")
    assert (moved.archived, bool(moved.operation_id)) == ((), True)
    assert moved.timestamp.utcoffset() == timedelta(0)
    version = registry.get_version(NAME, 1)
    assert (version.stage, version.revision) == (STAGING, 2)
    assert version.stage_entered_at == moved.timestamp
    registered, entered = registry.get_transitions(NAME, 1)
    assert (registered.from_stage, registered.to_stage, registered.reason) == (None, DEV, "")
    assert (registered.timestamp, registered.actor) == (version.created_at, "alice")
    assert entered == moved
    assert registered.timestamp < entered.timestamp


def test_history_is_in_the_order_in_which_it_happened_with_its_reasons(
    registry: ModelRegistry,
) -> None:
    for _ in range(2):
        registry.register_model(NAME)
    made = [
        registry.transition_stage(NAME, 2, STAGING, reason="B first."),
        registry.transition_stage(NAME, 1, STAGING),
        registry.transition_stage(NAME, 2, PROD, reason="résumé 🙂\nof two lines"),
        registry.transition_stage(NAME, 1, ARCHIVED, reason="Not needed."),
    ]
    history = list(registry.get_transitions(NAME))
    assert history[2:] == made
    assert [(move.version, move.to_stage) for move in history[:2]] == [(1, DEV), (2, DEV)]
    assert list(registry.get_transitions(NAME, 2)) == [history[1], made[0], made[2]]
    assert len({move.operation_id for move in made}) == 4


def test_other_changes_are_not_in_the_history(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_policy(floor(STAGING), NAME)
    registry.log_metrics(NAME, 1, {"accuracy": 0.5})
    registry.set_tag(NAME, "k", "v", 1)
    registry.set_alias(NAME, "best", 1)
    with pytest.raises(TransitionRefused):
        registry.transition_stage(NAME, 1, STAGING)
    assert [move.to_stage for move in registry.get_transitions(NAME)] == [DEV]


def test_a_refused_move_does_not_change_the_version(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING).require_approvals(1))
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    with unchanged(registry), pytest.raises(TransitionRefused):
        registry.transition_stage(NAME, 1, STAGING)
    registry.set_policy(PromotionPolicy(STAGING))
    registry.transition_stage(NAME, 1, STAGING, expected_revision=1)


def test_a_version_that_is_archived_stays_so_and_can_still_be_described(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME)
    registry.transition_stage(NAME, 1, ARCHIVED)
    for stage in Stage:
        with unchanged(registry), pytest.raises(InvalidTransition):
            registry.transition_stage(NAME, 1, stage)
    registry.set_description(NAME, "Why it was dropped.", 1)
    assert registry.get_version(NAME, 1).description == "Why it was dropped."


def test_several_versions_may_be_in_production(registry: ModelRegistry) -> None:
    for number in (1, 2):
        registry.register_model(NAME)
        promote(registry, number)
    assert numbers_of(registry.get_by_stage(PROD, NAME)) == [1, 2]


# Archiving existing versions


def test_promoting_can_archive_existing_versions_in_one_operation(registry: ModelRegistry) -> None:
    for number in (1, 2, 3, 4):
        registry.register_model(NAME)
        registry.transition_stage(NAME, number, STAGING)
    for number in (2, 1):
        registry.transition_stage(NAME, number, PROD)
    moved = registry.transition_stage(NAME, 3, PROD, archive_existing=True, reason="Better.")
    assert moved.archived == (1, 2)
    assert numbers_of(registry.get_by_stage(PROD, NAME)) == [3]
    assert numbers_of(registry.get_by_stage(STAGING, NAME)) == [4]
    *_, first, second, last = registry.get_transitions(NAME)
    assert last == moved
    for archived, number in ((first, 1), (second, 2)):
        assert (archived.version, archived.from_stage, archived.to_stage) == (
            number,
            PROD,
            ARCHIVED,
        )
        assert (archived.operation_id, archived.timestamp) == (
            moved.operation_id,
            moved.timestamp,
        )
        version = registry.get_version(NAME, number)
        assert (version.revision, version.stage_entered_at) == (4, moved.timestamp)


def test_archiving_existing_versions_affects_no_other_model(registry: ModelRegistry) -> None:
    for name in (NAME, "other"):
        registry.register_model(name)
        promote(registry, 1, name)
    registry.register_model(NAME)
    with unchanged(registry, "other"):
        promote(registry, 2, archive_existing=True)


@pytest.mark.parametrize("stage", [STAGING, ARCHIVED])
def test_nothing_is_archived_in_an_empty_stage(registry: ModelRegistry, stage: Stage) -> None:
    for _ in range(3):
        registry.register_model(NAME)
    registry.transition_stage(NAME, 2, ARCHIVED)
    registry.transition_stage(NAME, 3, ARCHIVED)
    moved = registry.transition_stage(NAME, 1, stage, archive_existing=True)
    assert moved.archived == ()
    assert numbers_of(registry.get_by_stage(stage, NAME))[0] == 1
    assert registry.get_version(NAME, 2).revision == 2


def test_a_move_lists_the_archived_versions_after_their_deletion(
    registry: ModelRegistry,
) -> None:
    for _ in range(2):
        registry.register_model(NAME)
    promote(registry, 1)
    promote(registry, 2, archive_existing=True)
    registry.delete_version(NAME, 1)
    assert registry.get_transitions(NAME)[-1].archived == (1,)


# Policies


def test_a_policy_refuses_with_every_reason_and_the_version_stays(registry: ModelRegistry) -> None:
    policy = floor(STAGING).require_metric("f1", Comparison.GTE, 0.9).require_approvals(2)
    registry.set_policy(policy)
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    with unchanged(registry), pytest.raises(TransitionRefused) as refused:
        registry.transition_stage(NAME, 1, STAGING)
    error = refused.value
    assert not isinstance(error, InvalidTransition)
    assert [refusal.code for refusal in error.refusals] == [
        "requirement_failed",
        "requirement_missing",
        "approvals_missing",
    ]
    assert (error.from_stage, error.to_stage) == (DEV, STAGING)
    assert error.policy_result == registry.check_promotion_policy(NAME, 1)
    assert error.policy_result.policy_revision == 1
    for sentence in ("accuracy is 0.5", "f1 was not measured", "2 more approvals are needed"):
        assert sentence in str(error)


def test_evidence_that_comes_later_lets_the_version_pass(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING))
    registry.register_model(NAME)
    with pytest.raises(TransitionRefused):
        registry.transition_stage(NAME, 1, STAGING)
    registry.log_metrics(NAME, 1, {"accuracy": 0.95})
    registry.transition_stage(NAME, 1, STAGING)
    assert registry.get_version(NAME, 1).stage is STAGING


def test_missing_approvals_refuse_whatever_the_evidence(registry: ModelRegistry) -> None:
    registry.set_policy(PromotionPolicy(STAGING).require_approvals(1))
    registry.register_model(NAME)
    with unchanged(registry), pytest.raises(TransitionRefused, match="1 more approval is needed"):
        registry.transition_stage(NAME, 1, STAGING)
    assert registry.check_promotion_policy(NAME, 1).passed
    judgement = registry.can_promote(NAME, 1)
    assert (judgement.allowed, judgement.approvals_required) == (False, 1)
    registry.transition_stage(NAME, 1, ARCHIVED)


def test_a_skipped_stage_is_refused_by_workflow_and_policy(
    registry: ModelRegistry,
) -> None:
    registry.set_policy(floor(PROD))
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    with unchanged(registry), pytest.raises(InvalidTransition) as refused:
        registry.transition_stage(NAME, 1, PROD)
    assert [refusal.kind for refusal in refused.value.refusals] == [
        RefusalKind.WORKFLOW,
        RefusalKind.POLICY,
    ]


def test_a_model_policy_replaces_the_default_policy(registry: ModelRegistry) -> None:
    for name in (NAME, "other"):
        registry.register_model(name, metrics={"accuracy": 0.6})
    assert registry.get_policy(STAGING) is None
    assert registry.get_policy(STAGING, NAME) is None
    registry.set_policy(floor(STAGING, 0.9).require_metric("f1", Comparison.GTE, 0.5))
    registry.set_policy(floor(STAGING, 0.5), NAME)
    assert registry.get_policy(STAGING, NAME) == floor(STAGING, 0.5)
    assert registry.get_policy(STAGING, "other") == registry.get_policy(STAGING)
    assert registry.get_policy(PROD, NAME) is None
    registry.transition_stage(NAME, 1, STAGING)
    with pytest.raises(TransitionRefused):
        registry.transition_stage("other", 1, STAGING)


def test_an_empty_model_policy_requires_nothing(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING))
    registry.register_model(NAME)
    registry.set_policy(PromotionPolicy(STAGING), NAME)
    policy_result = registry.check_promotion_policy(NAME, 1)
    assert (policy_result.passed, policy_result.has_policy) == (True, True)
    registry.transition_stage(NAME, 1, STAGING)


def test_a_policy_is_read_back_as_it_was_set(registry: ModelRegistry) -> None:
    policy = (
        PromotionPolicy(PROD)
        .require_metric("z", Comparison.GT, 5e-324)
        .require_metric("a", Comparison.LTE, 1.7976931348623157e308)
        .require_metric("a", Comparison.GTE, -0.1)
        .require_metric("名前", Comparison.EQ, 1)
        .require_test_coverage(80)
        .require_approvals(3)
    )
    registry.set_policy(policy)
    assert registry.get_policy(PROD) == policy


def test_an_edit_creates_a_revision_and_saving_the_same_creates_none(
    registry: ModelRegistry,
) -> None:
    numbers = [registry.set_policy(floor(STAGING, value)) for value in (0.9, 0.9, 0.8, 0.9)]
    assert numbers == [1, 1, 2, 3]
    assert registry.get_policy(STAGING) == floor(STAGING, 0.9)


def test_revisions_are_numbered_per_stage_and_model(
    registry: ModelRegistry,
) -> None:
    for name in (NAME, "other"):
        registry.register_model(name)
    assert registry.set_policy(floor(STAGING, 0.1)) == 1
    assert registry.set_policy(floor(STAGING, 0.2)) == 2
    assert registry.set_policy(floor(PROD)) == 1
    assert registry.set_policy(floor(STAGING), NAME) == 1
    assert registry.set_policy(floor(STAGING), "other") == 1


def test_a_policy_result_names_the_revision_that_judged(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.85})
    registry.set_policy(floor(STAGING, 0.8))
    first = registry.check_promotion_policy(NAME, 1)
    registry.set_policy(floor(STAGING, 0.9))
    second = registry.check_promotion_policy(NAME, 1)
    assert [(v.policy_revision, v.passed) for v in (first, second)] == [(1, True), (2, False)]
    given = registry.check_promotion_policy(NAME, 1, floor(STAGING, 0.8))
    assert (given.policy_revision, given.passed) == (None, True)


# Policy checks


def test_a_check_uses_the_given_policy_or_that_of_the_named_or_next_stage(
    registry: ModelRegistry,
) -> None:
    registry.set_policy(floor(STAGING, 0.5))
    registry.set_policy(floor(PROD, 0.99))
    registry.register_model(NAME, metrics={"accuracy": 0.9})
    assert registry.check_promotion_policy(NAME, 1).stage is STAGING
    assert registry.check_promotion_policy(NAME, 1).passed
    named = registry.check_promotion_policy(NAME, 1, to_stage=PROD)
    assert (named.stage, named.passed) == (PROD, False)
    strict = PromotionPolicy().require_metric("accuracy", Comparison.GTE, 0.97)
    assert not registry.check_promotion_policy(NAME, 1, strict, STAGING).passed
    registry.transition_stage(NAME, 1, STAGING)
    assert registry.check_promotion_policy(NAME, 1).stage is PROD
    assert not registry.check_promotion_policy(NAME, 1).passed


def test_a_check_lists_every_requirement_with_its_observed_value(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.9, "latency_p99_ms": 120})
    policy = (
        floor(PROD, 0.8)
        .require_metric("latency_p99_ms", Comparison.LTE, 100)
        .require_test_coverage(80)
    )
    policy_result = registry.check_promotion_policy(NAME, 1, policy)
    assert [(o.metric, o.outcome.value, o.observed, o.bound) for o in policy_result.outcomes] == [
        ("accuracy", "passed", 0.9, 0.8),
        ("latency_p99_ms", "failed", 120.0, 100.0),
        ("test_coverage", "missing", None, 80.0),
    ]
    assert [outcome.metric for outcome in policy_result.failures] == [
        "latency_p99_ms",
        "test_coverage",
    ]
    assert not policy_result.passed


def test_without_a_policy_a_check_passes_and_says_so(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    policy_result = registry.check_promotion_policy(NAME, 1)
    assert (policy_result.passed, policy_result.has_policy, policy_result.stage) == (
        True,
        False,
        STAGING,
    )
    promote(registry, 1)
    nowhere = registry.check_promotion_policy(NAME, 1)
    assert (nowhere.passed, nowhere.has_policy, nowhere.stage) == (True, False, None)
    archived = registry.check_promotion_policy(NAME, 1, to_stage=ARCHIVED)
    assert (archived.passed, archived.has_policy, archived.stage) == (True, False, ARCHIVED)
    assert "only to promotions" in archived.sentence


def test_checks_change_nothing(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING))
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    with unchanged(registry):
        registry.check_promotion_policy(NAME, 1)
        registry.can_promote(NAME, 1)
        registry.can_promote(NAME, 1, PROD)
        registry.compare_versions(NAME, 1, 1)


def test_can_promote_applies_every_rule(registry: ModelRegistry) -> None:
    registry.set_policy(floor(PROD).require_approvals(1))
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    following = registry.can_promote(NAME, 1)
    assert (following.allowed, following.to_stage) == (True, STAGING)
    judgement = registry.can_promote(NAME, 1, PROD)
    assert [refusal.kind for refusal in judgement.refusals] == [
        RefusalKind.WORKFLOW,
        RefusalKind.POLICY,
        RefusalKind.APPROVALS,
    ]
    assert (judgement.from_stage, judgement.to_stage) == (DEV, PROD)
    assert judgement.policy_result == registry.check_promotion_policy(NAME, 1, to_stage=PROD)
    assert (judgement.approvals_required, judgement.approvals_given) == (1, 0)
    there = registry.can_promote(NAME, 1, DEV)
    assert [refusal.code for refusal in there.refusals] == ["already_there"]


@pytest.mark.parametrize("stage", [PROD, ARCHIVED])
def test_can_promote_needs_a_stage_if_there_is_no_next_one(
    registry: ModelRegistry, stage: Stage
) -> None:
    registry.register_model(NAME)
    for step in WAY_TO[stage]:
        registry.transition_stage(NAME, 1, step)
    with unchanged(registry), pytest.raises(InvalidInput, match="no next stage") as error:
        registry.can_promote(NAME, 1)
    assert error.value.field == "to_stage"


# The champion


def baseline(registry: ModelRegistry, number: int) -> float | None:
    """Return the champion's accuracy, as the policy result of a version shows it."""
    return registry.check_promotion_policy(NAME, number, floor(PROD)).outcomes[0].baseline


def test_the_baseline_is_the_version_that_entered_production_last(registry: ModelRegistry) -> None:
    for accuracy in (0.91, 0.92, 0.93):
        registry.register_model(NAME, metrics={"accuracy": accuracy})
    assert baseline(registry, 3) is None
    promote(registry, 2)
    assert baseline(registry, 3) == 0.92
    promote(registry, 1)
    assert baseline(registry, 3) == 0.91
    registry.transition_stage(NAME, 1, ARCHIVED)
    assert baseline(registry, 3) == 0.92
    registry.delete_version(NAME, 2)
    assert baseline(registry, 3) is None


def test_the_champion_has_no_baseline_and_is_that_of_the_others_in_production(
    registry: ModelRegistry,
) -> None:
    for accuracy in (0.91, 0.92):
        registry.register_model(NAME, metrics={"accuracy": accuracy})
    promote(registry, 1)
    promote(registry, 2)
    assert baseline(registry, 2) is None
    assert baseline(registry, 1) == 0.92


def test_the_baseline_is_the_champions_current_value(registry: ModelRegistry) -> None:
    for _ in range(2):
        registry.register_model(NAME, metrics={"accuracy": 0.91})
    promote(registry, 1)
    registry.log_metrics(NAME, 1, {"accuracy": 0.95})
    assert baseline(registry, 2) == 0.95


def test_the_champion_follows_when_the_others_are_archived(registry: ModelRegistry) -> None:
    for accuracy in (0.91, 0.92, 0.93):
        registry.register_model(NAME, metrics={"accuracy": accuracy})
    promote(registry, 1)
    promote(registry, 2, archive_existing=True)
    assert baseline(registry, 3) == 0.92
    registry.transition_stage(NAME, 2, ARCHIVED)
    assert baseline(registry, 3) is None


def test_a_champion_of_another_model_is_ignored(registry: ModelRegistry) -> None:
    registry.register_model("other", metrics={"accuracy": 0.99})
    promote(registry, 1, "other")
    registry.register_model(NAME, metrics={"accuracy": 0.9})
    assert baseline(registry, 1) is None


# Time


def test_times_never_go_back(registry: ModelRegistry, clock: Clock) -> None:
    registry.register_model(NAME)
    created = registry.get_version(NAME, 1).created_at
    clock.now -= timedelta(days=7)
    promote(registry, 1)
    times = [move.timestamp for move in registry.get_transitions(NAME)]
    assert times == [created, created, created]
    assert registry.get_version(NAME, 1).stage_entered_at == created


def test_the_champion_is_the_one_that_entered_last_even_if_the_clock_stood_still(
    request: pytest.FixtureRequest, registry: ModelRegistry, clock: Clock
) -> None:
    clock.stopped = True
    for accuracy in (0.91, 0.92, 0.93, 0.94):
        registry.register_model(NAME, metrics={"accuracy": accuracy})
    for number in (2, 1, 3):
        promote(registry, number)
    registry.transition_stage(NAME, 3, ARCHIVED)
    assert baseline(registry, 4) == 0.91
