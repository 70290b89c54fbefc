"""What every registry must do, whatever it keeps its versions in."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from boards.registry import DatabaseRegistry
from obeya import (
    AlreadyExists,
    Comparison,
    Conflict,
    InMemoryRegistry,
    InvalidInput,
    InvalidTransition,
    Metric,
    ModelRegistry,
    NotFound,
    PromotionPolicy,
    RegistryError,
    Stage,
    TransitionRefused,
)
from obeya.comparison import DiffOutcome

NAME = "sentiment-classifier"
DEV, STAGING, PROD, ARCHIVED = Stage


class Clock:
    """A clock that ticks a minute with each look, so that every event has its own time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 3, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture(params=["memory", pytest.param("database", marks=pytest.mark.django_db)])
def any_registry(request: pytest.FixtureRequest) -> ModelRegistry:
    """Each implementation, empty, bound to somebody who may do everything."""
    if request.param == "memory":
        return InMemoryRegistry(actor="alice", clock=Clock())
    return DatabaseRegistry(actor=request.getfixturevalue("alice"), clock=Clock())


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    return any_registry


def promote(registry: ModelRegistry, version: int, **how: Any) -> None:
    registry.transition_stage(NAME, version, STAGING)
    registry.transition_stage(NAME, version, PROD, **how)


# Registering


def test_a_version_is_registered_in_development_with_all_that_was_given(
    registry: ModelRegistry,
) -> None:
    registry.register_model(
        NAME,
        1,
        {"accuracy": 0.95, "auc": Metric("auc", 0.9, 1_000, 0.01, "holdout")},
        "s3://models/1",
        label="1.0.0",
        tags={"team": "nlp"},
        description="First.",
        source_run="run-1",
    )
    version = registry.get_version(NAME, 1)
    assert (version.stage, version.revision, version.number) == (DEV, 1, 1)
    assert version.metrics["accuracy"].value == 0.95
    assert version.metrics["auc"] == Metric("auc", 0.9, 1_000, 0.01, "holdout")
    assert (version.label, version.artifact_uri) == ("1.0.0", "s3://models/1")
    assert (dict(version.tags), version.description) == ({"team": "nlp"}, "First.")
    assert (version.source_run, version.owner) == ("run-1", "alice")


def test_the_next_number_is_allotted(registry: ModelRegistry) -> None:
    numbers = [registry.register_model(NAME).number for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert registry.register_model(NAME, 10).number == 10
    assert registry.register_model(NAME).number == 11


def test_numbers_only_grow_and_are_never_given_again(registry: ModelRegistry) -> None:
    registry.register_model(NAME, 5)
    for taken in (5, 3):
        with pytest.raises(AlreadyExists):
            registry.register_model(NAME, taken)
    registry.delete_version(NAME, 5)
    with pytest.raises(AlreadyExists):
        registry.register_model(NAME, 5)
    assert registry.register_model(NAME).number == 6


def test_a_label_is_unique_within_its_model_and_free_again_after_deletion(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME, label="1.0.0")
    registry.register_model("other", label="1.0.0")
    with pytest.raises(AlreadyExists, match=r"1\.0\.0"):
        registry.register_model(NAME, label="1.0.0")
    registry.register_model(NAME)
    registry.register_model(NAME)
    registry.delete_version(NAME, 1)
    assert registry.register_model(NAME, label="1.0.0").number == 4


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": "x" * 10_000},
        {"name": "a\nb"},
        {"name": "a/b"},
        {"name": "a:b"},
        {"name": ".."},
        {"version": 0},
        {"version": -1},
        {"version": 2**40},
        {"version": True},
        {"version": "1"},
        {"metrics": {"accuracy": math.nan}},
        {"metrics": {"accuracy": math.inf}},
        {"metrics": {"accuracy": "0.9"}},
        {"metrics": {"": 0.9}},
        {"metrics": {"a": Metric("b", 1.0)}},
        {"metrics": {f"m{n}": 1.0 for n in range(1_001)}},
        {"tags": {"": "x"}},
        {"tags": {"k": "x" * 100_001}},
        {"label": "x" * 65},
        {"artifact_uri": "x" * 2_049},
        {"description": "x" * 100_001},
    ],
    ids="-".join,
)
def test_what_cannot_be_registered_leaves_nothing(
    registry: ModelRegistry, bad: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        registry.register_model(**{"name": NAME, **bad})
    with pytest.raises(NotFound):
        registry.list_versions(NAME)


def test_two_spellings_of_a_name_are_one_model(registry: ModelRegistry) -> None:
    registry.register_model("re\u0301sume\u0301")
    assert registry.register_model("résumé").number == 2


# Reading


def test_versions_are_found_by_stage_and_by_number(registry: ModelRegistry) -> None:
    for _ in range(4):
        registry.register_model(NAME)
    registry.transition_stage(NAME, 1, STAGING)
    registry.transition_stage(NAME, 3, STAGING)
    assert [v.number for v in registry.list_versions(NAME)] == [1, 2, 3, 4]
    assert [v.number for v in registry.get_by_stage(NAME, STAGING)] == [1, 3]
    latest, staged = registry.get_latest(NAME), registry.get_latest_in_stage(NAME, STAGING)
    assert latest is not None
    assert staged is not None
    assert (latest.number, staged.number) == (4, 3)
    assert registry.get_latest_in_stage(NAME, PROD) is None


def test_a_model_whose_versions_are_all_deleted_has_no_latest(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.delete_version(NAME, 1)
    assert registry.get_latest(NAME) is None
    assert list(registry.list_versions(NAME)) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.get_version("none", 1),
        lambda r: r.get_version(NAME, 9),
        lambda r: r.list_versions("none"),
        lambda r: r.get_latest("none"),
        lambda r: r.get_by_stage("none", DEV),
        lambda r: r.get_latest_in_stage("none", DEV),
        lambda r: r.log_metrics(NAME, 9, {"accuracy": 1.0}),
        lambda r: r.check_promotion_policy(NAME, 9),
        lambda r: r.can_promote("none", 1),
        lambda r: r.transition_stage(NAME, 9, STAGING),
        lambda r: r.transition_stage("none", 1, STAGING),
        lambda r: r.get_transitions("none"),
        lambda r: r.get_transitions(NAME, 9),
        lambda r: r.compare_versions(NAME, 1, 9),
        lambda r: r.set_tag(NAME, "k", "v", 9),
        lambda r: r.set_tag("none", "k", "v"),
        lambda r: r.delete_tag(NAME, "none"),
        lambda r: r.delete_tag(NAME, "none", 1),
        lambda r: r.set_alias(NAME, "best", 9),
        lambda r: r.delete_alias(NAME, "none"),
        lambda r: r.set_description(NAME, "x", 9),
        lambda r: r.rename_model("none", "other"),
        lambda r: r.delete_version(NAME, 9),
        lambda r: r.delete_model("none"),
        lambda r: r.set_policy(PromotionPolicy(STAGING), "none"),
        lambda r: r.get_policy(STAGING, "none"),
    ],
)
def test_what_is_not_there_is_not_found(
    registry: ModelRegistry, call: Callable[[ModelRegistry], object]
) -> None:
    registry.register_model(NAME)
    before = registry.get_version(NAME, 1)
    with pytest.raises(NotFound):
        call(registry)
    assert registry.get_version(NAME, 1) == before


@pytest.mark.parametrize("number", [0, -1, True, "1", 2**40])
def test_a_number_that_cannot_be_is_refused(registry: ModelRegistry, number: Any) -> None:
    registry.register_model(NAME)
    with pytest.raises(InvalidInput):
        registry.get_version(NAME, number)


# Moving


def test_a_version_moves_and_its_history_says_who_when_and_why(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    moved = registry.transition_stage(NAME, 1, STAGING, reason=" good enough ")
    assert (moved.from_stage, moved.to_stage, moved.reason) == (DEV, STAGING, "good enough")
    version = registry.get_version(NAME, 1)
    assert (version.stage, version.revision) == (STAGING, 2)
    assert version.stage_entered_at == moved.occurred_at
    first, second = registry.get_transitions(NAME, 1)
    assert (first.from_stage, first.to_stage) == (None, DEV)
    assert (second.actor, second.reason) == ("alice", "good enough")
    assert first.occurred_at < second.occurred_at


@pytest.mark.parametrize("to_stage", [PROD, DEV])
def test_a_skip_and_a_move_to_where_it_is_are_invalid(
    registry: ModelRegistry, to_stage: Stage
) -> None:
    registry.register_model(NAME)
    before = registry.get_version(NAME, 1)
    with pytest.raises(InvalidTransition):
        registry.transition_stage(NAME, 1, to_stage)
    assert registry.get_version(NAME, 1) == before
    assert len(registry.get_transitions(NAME)) == 1


def test_backwards_and_out_of_the_archive_are_invalid(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    promote(registry, 1)
    for stage in (STAGING, DEV):
        with pytest.raises(InvalidTransition, match="backwards"):
            registry.transition_stage(NAME, 1, stage)
    registry.transition_stage(NAME, 1, ARCHIVED)
    with pytest.raises(InvalidTransition, match="stays archived"):
        registry.transition_stage(NAME, 1, DEV)


def test_an_unknown_stage_is_refused(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    with pytest.raises(InvalidInput, match="is not a stage"):
        registry.transition_stage(NAME, 1, "somewhere")  # type: ignore[arg-type]  # typed by hand


def test_whoever_saw_an_old_state_gets_the_present_one(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.transition_stage(NAME, 1, STAGING, expected_stage=DEV, expected_revision=1)
    for expected in ({"expected_stage": DEV}, {"expected_revision": 1}):
        with pytest.raises(Conflict) as conflict:
            registry.transition_stage(NAME, 1, ARCHIVED, **expected)
        assert (conflict.value.stage, conflict.value.revision) == (STAGING, 2)
    assert registry.get_version(NAME, 1).stage is STAGING


def test_staleness_is_told_before_the_rules(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    with pytest.raises(Conflict):
        registry.transition_stage(NAME, 1, PROD, expected_revision=7)


def test_promoting_can_archive_what_was_there_in_one_operation(registry: ModelRegistry) -> None:
    for _ in range(3):
        registry.register_model(NAME)
    promote(registry, 1)
    promote(registry, 2)
    registry.transition_stage(NAME, 3, STAGING)
    moved = registry.transition_stage(NAME, 3, PROD, archive_existing=True)
    assert moved.archived == (1, 2)
    assert [v.number for v in registry.get_by_stage(NAME, PROD)] == [3]
    archived = [registry.get_transitions(NAME, number)[-1] for number in (1, 2)]
    assert {move.operation_id for move in archived} == {moved.operation_id}


def test_several_versions_may_be_in_production(registry: ModelRegistry) -> None:
    for number in (1, 2):
        registry.register_model(NAME)
        promote(registry, number)
    assert [v.number for v in registry.get_by_stage(NAME, PROD)] == [1, 2]


# Policies


def floor(stage: Stage, value: float = 0.9) -> PromotionPolicy:
    return PromotionPolicy(stage).require_metric("accuracy", Comparison.GTE, value)


def test_a_policy_refuses_with_every_reason_and_the_version_stays(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING).require_metric("f1", Comparison.GTE, 0.9))
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    with pytest.raises(TransitionRefused) as refused:
        registry.transition_stage(NAME, 1, STAGING)
    assert not isinstance(refused.value, InvalidTransition)
    assert [r.code for r in refused.value.refusals] == [
        "requirement_failed",
        "requirement_missing",
    ]
    assert refused.value.verdict is not None
    assert refused.value.verdict.policy_revision == 1
    assert registry.get_version(NAME, 1).stage is DEV
    registry.log_metrics(NAME, 1, {"accuracy": 0.95, "f1": 0.95})
    registry.transition_stage(NAME, 1, STAGING)


def test_missing_approvals_refuse(registry: ModelRegistry) -> None:
    registry.set_policy(PromotionPolicy(STAGING).require_approvals(2))
    registry.register_model(NAME)
    with pytest.raises(TransitionRefused, match="2 more approvals are needed"):
        registry.transition_stage(NAME, 1, STAGING)
    assert registry.check_promotion_policy(NAME, 1).passed


def test_a_models_own_policy_replaces_the_sites(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model("other")
    assert registry.get_policy(STAGING, NAME) is None
    registry.set_policy(floor(STAGING, 0.9))
    registry.set_policy(floor(STAGING, 0.5), NAME)
    assert registry.get_policy(STAGING, NAME) == floor(STAGING, 0.5)
    assert registry.get_policy(STAGING, "other") == floor(STAGING, 0.9)
    assert registry.get_policy(STAGING) == floor(STAGING, 0.9)
    assert registry.get_policy(PROD, NAME) is None


def test_an_edit_makes_a_revision_and_the_same_again_makes_none(registry: ModelRegistry) -> None:
    numbers = [registry.set_policy(floor(STAGING, value)) for value in (0.9, 0.9, 0.8, 0.9)]
    assert numbers == [1, 1, 2, 3]


def test_a_policy_without_a_stage_can_be_checked_but_not_stored(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.95})
    policy = PromotionPolicy().require_metric("accuracy", Comparison.GTE, 0.97)
    assert not registry.check_promotion_policy(NAME, 1, policy).passed
    with pytest.raises(InvalidInput, match="target stage"):
        registry.set_policy(policy)


def test_a_check_judges_by_the_stage_named_else_by_the_next(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING, 0.5))
    registry.set_policy(floor(PROD, 0.99))
    registry.register_model(NAME, metrics={"accuracy": 0.9})
    assert registry.check_promotion_policy(NAME, 1).passed
    assert not registry.check_promotion_policy(NAME, 1, to_stage=PROD).passed
    registry.transition_stage(NAME, 1, STAGING)
    assert not registry.check_promotion_policy(NAME, 1).passed


def test_without_a_policy_a_check_passes_and_says_so(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    verdict = registry.check_promotion_policy(NAME, 1)
    assert verdict.passed
    assert not verdict.has_policy


def test_the_baseline_is_the_version_that_entered_production_last(
    registry: ModelRegistry,
) -> None:
    for accuracy in (0.91, 0.92, 0.93):
        registry.register_model(NAME, metrics={"accuracy": accuracy})

    def baseline() -> float | None:
        return registry.check_promotion_policy(NAME, 3, floor(PROD)).outcomes[0].baseline

    assert baseline() is None
    promote(registry, 2)
    assert baseline() == 0.92
    promote(registry, 1)
    assert baseline() == 0.91
    registry.transition_stage(NAME, 1, ARCHIVED)
    assert baseline() == 0.92
    registry.delete_version(NAME, 2)
    assert baseline() is None


def test_can_promote_judges_everything_and_moves_nothing(registry: ModelRegistry) -> None:
    registry.set_policy(floor(PROD).require_approvals(1))
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    assert registry.can_promote(NAME, 1).allowed
    judgement = registry.can_promote(NAME, 1, PROD)
    assert [refusal.kind.value for refusal in judgement.refusals] == [
        "workflow",
        "policy",
        "approvals",
    ]
    assert registry.get_version(NAME, 1).stage is DEV
    registry.transition_stage(NAME, 1, ARCHIVED)
    with pytest.raises(InvalidInput, match="no next stage"):
        registry.can_promote(NAME, 1)


# Evidence, labels, texts


def test_a_metric_logged_again_is_replaced_and_the_same_again_changes_nothing(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.5, "f1": 0.4})
    changed = registry.log_metrics(NAME, 1, {"accuracy": 0.6, "auc": 0.7})
    assert {n: m.value for n, m in changed.metrics.items()} == {
        "accuracy": 0.6,
        "f1": 0.4,
        "auc": 0.7,
    }
    assert changed.revision == 2
    assert registry.log_metrics(NAME, 1, {"accuracy": 0.6}).revision == 2
    with pytest.raises(InvalidInput):
        registry.log_metrics(NAME, 1, {"f1": 0.9, "accuracy": math.nan})
    assert registry.get_version(NAME, 1).metrics["f1"].value == 0.4


def test_versions_are_compared_metric_by_metric(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.8, "loss": 0.5, "old": 1.0})
    registry.register_model(NAME, metrics={"accuracy": 0.9, "loss": 0.4, "new": 1.0})
    comparison = registry.compare_versions(NAME, 1, 2)
    assert comparison.metric_diffs["accuracy"].percent_change == pytest.approx(12.5)
    assert {n: d.outcome for n, d in comparison.metric_diffs.items()} == {
        "accuracy": DiffOutcome.BETTER,
        "loss": DiffOutcome.BETTER,
        "old": DiffOutcome.ONLY_A,
        "new": DiffOutcome.ONLY_B,
    }
    assert comparison.b_is_better


def test_tags_are_set_replaced_and_removed(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_tag(NAME, "team", "nlp", 1)
    registry.set_tag(NAME, "team", "vision", 1)
    registry.set_tag(NAME, "team", "of the model")
    assert dict(registry.get_version(NAME, 1).tags) == {"team": "vision"}
    revision = registry.get_version(NAME, 1).revision
    registry.set_tag(NAME, "team", "vision", 1)
    assert registry.get_version(NAME, 1).revision == revision
    registry.delete_tag(NAME, "team", 1)
    assert dict(registry.get_version(NAME, 1).tags) == {}
    registry.delete_tag(NAME, "team")
    with pytest.raises(NotFound):
        registry.delete_tag(NAME, "team")


def test_an_alias_moves_and_vanishes_with_its_version(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model(NAME)
    registry.set_alias(NAME, "best", 1)
    registry.set_alias(NAME, "best", 2)
    assert registry.get_version(NAME, 1).aliases == ()
    assert registry.get_version(NAME, 2).aliases == ("best",)
    registry.delete_version(NAME, 2)
    with pytest.raises(NotFound):
        registry.delete_alias(NAME, "best")
    with pytest.raises(InvalidInput):
        registry.set_alias(NAME, "latest", 1)


def test_descriptions_are_set(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_description(NAME, "What it is.", 1)
    registry.set_description(NAME, "The model.")
    assert registry.get_version(NAME, 1).description == "What it is."


# Renaming and deleting


def test_a_renamed_model_keeps_versions_and_history_and_frees_its_name(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME)
    registry.transition_stage(NAME, 1, STAGING)
    registry.rename_model(NAME, "new-name")
    assert registry.get_version("new-name", 1).stage is STAGING
    assert len(registry.get_transitions("new-name")) == 2
    assert registry.register_model(NAME).number == 1
    with pytest.raises(AlreadyExists):
        registry.rename_model(NAME, "new-name")
    with pytest.raises(InvalidInput):
        registry.rename_model(NAME, "a/b")


def test_a_deleted_version_is_gone_and_the_others_stay(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model(NAME)
    registry.delete_version(NAME, 1)
    assert [v.number for v in registry.list_versions(NAME)] == [2]
    assert {move.version for move in registry.get_transitions(NAME)} == {2}
    for call in (registry.get_version, registry.get_transitions, registry.delete_version):
        with pytest.raises(NotFound):
            call(NAME, 1)


def test_a_deleted_models_name_is_taken_anew_with_numbers_from_1(registry: ModelRegistry) -> None:
    for _ in range(3):
        registry.register_model(NAME)
    registry.set_policy(floor(STAGING), NAME)
    registry.delete_model(NAME)
    with pytest.raises(NotFound):
        registry.get_version(NAME, 1)
    assert registry.register_model(NAME).number == 1
    assert len(registry.get_transitions(NAME)) == 1
    assert registry.get_policy(STAGING, NAME) is None


def test_every_error_says_what_it_is_to_programs(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    seen = {}
    for call in (
        lambda: registry.get_version(NAME, 0),
        lambda: registry.get_version(NAME, 9),
        lambda: registry.register_model(NAME, 1),
        lambda: registry.transition_stage(NAME, 1, STAGING, expected_revision=9),
        lambda: registry.transition_stage(NAME, 1, PROD),
    ):
        with pytest.raises(RegistryError) as error:
            call()
        seen[error.value.code] = (error.value.http_status, error.value.exit_status)
    assert seen == {
        "invalid_input": (400, 2),
        "not_found": (404, 3),
        "already_exists": (409, 4),
        "conflict": (409, 4),
        "invalid_transition": (422, 1),
    }
