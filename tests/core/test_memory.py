"""Behaviour only of the in-memory registry: clock, log, threads, workflow and definitions.

What all registries have in common is tested in tests/registry/.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from obeya import (
    Comparison,
    Direction,
    InMemoryRegistry,
    InvalidTransition,
    Metric,
    MetricDefinition,
    PromotionPolicy,
    Stage,
    TransitionRefused,
)
from obeya.audit.chain import text_digest
from obeya.comparison import DiffOutcome
from obeya.records import Action, Channel
from obeya.stages import OPEN, RETURNS

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
FLOOR = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)


class SetClock:
    """A clock that shows the time that the test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def registry(clock: SetClock) -> InMemoryRegistry:
    made = InMemoryRegistry(actor="ada", clock=clock)
    made.register_model("m", metrics={"accuracy": 0.95})
    return made


# The clock


def test_events_have_the_time_of_the_clock(registry: InMemoryRegistry, clock: SetClock) -> None:
    clock.now = NOON + timedelta(days=1)
    moved = registry.transition_stage("m", 1, Stage.STAGING)
    version = registry.get_version("m", 1)
    assert (version.created_at, version.stage_entered_at) == (NOON, clock.now)
    assert moved.timestamp == clock.now


def test_times_never_go_back_with_the_clock(registry: InMemoryRegistry, clock: SetClock) -> None:
    clock.now = NOON - timedelta(days=1)
    moved = registry.transition_stage("m", 1, Stage.STAGING)
    assert moved.timestamp == NOON
    assert registry.get_version("m", 1).stage_entered_at == NOON
    assert registry.register_model("another").created_at == clock.now


def test_times_are_utc_whatever_zone_the_clock_is_set_to(clock: SetClock) -> None:
    clock.now = NOON.astimezone(timezone(timedelta(hours=9)))
    version = InMemoryRegistry(clock=clock).register_model("m")
    assert version.created_at == NOON
    assert version.created_at.utcoffset() == timedelta(0)


def test_the_default_clock_is_the_current_time() -> None:
    before = datetime.now(UTC)
    made = InMemoryRegistry().register_model("m")
    assert before <= made.created_at <= datetime.now(UTC)


def test_the_champion_is_the_one_that_entered_last_even_if_the_clock_stood_still(
    registry: InMemoryRegistry,
) -> None:
    for _ in range(3):
        registry.register_model("m", metrics={"accuracy": 0.5})
    for number in (2, 1, 3):
        registry.transition_stage("m", number, Stage.STAGING)
        registry.transition_stage("m", number, Stage.PRODUCTION)
    registry.transition_stage("m", 3, Stage.ARCHIVED)
    assert registry.check_promotion_policy("m", 4, FLOOR).outcomes[0].baseline == 0.95


# Returned objects


def test_returned_objects_cannot_change_the_registry(registry: InMemoryRegistry) -> None:
    tags, metrics = {"team": "nlp"}, {"f1": 0.5}
    handed = [registry.register_model("m", metrics=metrics, tags=tags)]
    before = registry.get_version("m", 2)
    handed += [registry.get_version("m", 2), *registry.list_versions("m")]
    handed.append(registry.log_metrics("m", 2, {}))
    for version in handed:
        version.measurements["f1"] = Metric("f1", 1.0)  # type: ignore[index]  # what must not matter
        version.tags["team"] = "vision"  # type: ignore[index]  # the same
    tags["team"], metrics["f1"] = "vision", 1.0
    assert registry.get_version("m", 2) == before
    assert registry.verify() == []


def test_definitions_are_those_of_the_constructor() -> None:
    defined = {"score": MetricDefinition("score", Direction.LOWER)}
    registry = InMemoryRegistry(definitions=defined)
    for score in (1.0, 2.0):
        registry.register_model("m", metrics={"score": score})
    defined.clear()
    diff = registry.compare_versions("m", 1, 2).metric_diffs["score"]
    assert diff.outcome is DiffOutcome.WORSE


# The workflow


def test_the_workflow_is_that_of_the_constructor() -> None:
    registry = InMemoryRegistry(workflow=RETURNS)
    registry.register_model("m")
    for stage in (Stage.STAGING, Stage.PRODUCTION, Stage.STAGING, Stage.DEVELOPMENT):
        registry.transition_stage("m", 1, stage)
    with pytest.raises(InvalidTransition):
        registry.transition_stage("m", 1, Stage.PRODUCTION)


def test_policies_apply_in_the_open_workflow_but_not_to_demotions() -> None:
    registry = InMemoryRegistry(workflow=OPEN)
    registry.register_model("m")
    registry.transition_stage("m", 1, Stage.PRODUCTION)
    registry.set_policy(FLOOR)
    registry.transition_stage("m", 1, Stage.STAGING)
    registry.transition_stage("m", 1, Stage.ARCHIVED)
    with pytest.raises(TransitionRefused, match="was not measured") as refused:
        registry.transition_stage("m", 1, Stage.STAGING)
    assert type(refused.value) is TransitionRefused


# The log


def test_every_change_is_one_event_with_old_and_new_values(registry: InMemoryRegistry) -> None:
    registry.log_metrics("m", 1, {"accuracy": Metric("accuracy", 0.96, samples=100), "f1": 0.5})
    registry.set_tag("m", "team", "nlp", 1)
    registry.set_tag("m", "team", "vision", 1)
    registry.delete_tag("m", "team", 1)
    registry.set_tag("m", "line", "one")
    registry.set_alias("m", "best", 1)
    registry.delete_alias("m", "best")
    registry.set_policy(FLOOR, "m")
    said = [(event.action, event.version, dict(event.data)) for event in registry.events("m")]
    assert said == [
        (Action.MODEL_REGISTERED, None, {}),
        (
            Action.VERSION_REGISTERED,
            1,
            {
                "label": "",
                "artifact_uri": "",
                "artifact_digest": "",
                "source_run": "",
                "metrics": {"accuracy": {"value": 0.95}},
                "tags": {},
            },
        ),
        (
            Action.METRICS_LOGGED,
            1,
            {
                "metrics": {
                    "accuracy": {"old": {"value": 0.95}, "new": {"value": 0.96, "samples": 100}},
                    "f1": {"old": None, "new": {"value": 0.5}},
                }
            },
        ),
        (Action.VERSION_TAGGED, 1, {"key": "team", "old": None, "new": "nlp"}),
        (Action.VERSION_TAGGED, 1, {"key": "team", "old": "nlp", "new": "vision"}),
        (Action.VERSION_UNTAGGED, 1, {"key": "team", "old": "vision"}),
        (Action.MODEL_TAGGED, None, {"key": "line", "old": None, "new": "one"}),
        (Action.ALIAS_SET, 1, {"alias": "best", "old": None}),
        (Action.ALIAS_DELETED, 1, {"alias": "best"}),
        (Action.POLICY_SET, None, {"revision": 1, "policy": FLOOR.to_document()}),
    ]


def test_texts_are_stored_beside_the_event_unless_empty(
    registry: InMemoryRegistry,
) -> None:
    registry.set_description("m", "What it is.", 1)
    registry.set_description("m", "", 1)
    registry.rename_model("m", "n")
    registry.transition_stage("n", 1, Stage.STAGING, reason="Better.")
    registered, _, *events = registry.events("n")
    assert registered.texts == {"name": "m"}
    assert [event.texts for event in events] == [
        {"description": "What it is."},
        {},
        {"name": "n", "previous_name": "m"},
        {"reason": "Better."},
    ]
    assert "Better." not in events[-1].canonical_text()
    assert text_digest("Better.") in events[-1].canonical_text()


def test_an_event_has_its_actor_and_channel(registry: InMemoryRegistry) -> None:
    events = registry.events("m")
    assert {event.actor for event in events} == {"ada"}
    assert {event.channel for event in events} == {Channel.PYTHON}
    assert len({event.model for event in events}) == len({event.chain for event in events}) == 1


def test_a_move_refused_by_policy_leaves_an_event_and_one_refused_by_the_workflow_none(
    registry: InMemoryRegistry,
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(1))
    before = len(registry.events("m"))
    with pytest.raises(TransitionRefused):
        registry.transition_stage("m", 1, Stage.STAGING, reason="Please.")
    (refused,) = registry.events("m")[before:]
    assert (refused.action, refused.version) == (Action.TRANSITION_REFUSED, 1)
    assert (refused.from_stage, refused.to_stage) == (Stage.DEVELOPMENT, Stage.STAGING)
    assert [refusal["code"] for refusal in refused.data["refusals"]] == ["approvals_missing"]
    assert refused.texts == {"reason": "Please."}
    with pytest.raises(InvalidTransition):
        registry.transition_stage("m", 1, Stage.PRODUCTION)
    assert len(registry.events("m")) == before + 1


def test_the_events_of_an_operation_share_a_unique_id(registry: InMemoryRegistry) -> None:
    registry.register_model("m")
    for number in (1, 2):
        registry.transition_stage("m", number, Stage.STAGING)
    registry.transition_stage("m", 1, Stage.PRODUCTION)
    registry.transition_stage("m", 2, Stage.PRODUCTION, archive_existing=True)
    *others, archived, entered, alias = registry.events("m")
    assert (alias.action, alias.operation) == (Action.ALIAS_SET, None)
    assert archived.operation == entered.operation
    assert archived.operation not in {event.operation for event in others}
    assert dict(archived.data) == {"replaced_by": 2}


def test_what_changes_nothing_leaves_no_event(registry: InMemoryRegistry) -> None:
    registry.set_tag("m", "k", "v")
    registry.set_tag("m", "k", "v", 1)
    registry.set_alias("m", "best", 1)
    registry.set_description("m", "Text.")
    registry.set_policy(FLOOR)
    models, site = list(registry.events("m")), list(registry.events())
    registry.set_tag("m", "k", "v")
    registry.set_tag("m", "k", "v", 1)
    registry.set_alias("m", "best", 1)
    registry.set_description("m", "Text.")
    registry.log_metrics("m", 1, {"accuracy": 0.95})
    registry.rename_model("m", "m")
    registry.set_policy(FLOOR)
    assert list(registry.events("m")) == models
    assert list(registry.events()) == site


def test_the_registry_has_a_separate_chain(registry: InMemoryRegistry) -> None:
    registry.set_policy(FLOOR)
    (event,) = registry.events()
    assert (event.action, event.model, event.sequence) == (Action.POLICY_SET, None, 1)
    assert event.chain != registry.events("m")[0].chain


def test_a_new_model_with_an_old_name_has_a_new_chain(registry: InMemoryRegistry) -> None:
    old = registry.events("m")[0].chain
    registry.delete_model("m")
    registry.register_model("m")
    events = registry.events("m")
    assert {event.chain for event in events} != {old}
    assert [event.sequence for event in events] == [1, 2]


# Verification


def tamper_with_the_model(registry: InMemoryRegistry) -> Any:
    return registry._store.models["m"].chain


def tamper_with_the_site(registry: InMemoryRegistry) -> Any:
    return registry._store.chain


def tamper_with_the_deleted(registry: InMemoryRegistry) -> Any:
    return registry._store.buried[0]


@pytest.mark.parametrize(
    "chain_of", [tamper_with_the_model, tamper_with_the_site, tamper_with_the_deleted]
)
def test_verifying_finds_what_was_changed_in_any_chain(
    registry: InMemoryRegistry, chain_of: Callable[[InMemoryRegistry], Any]
) -> None:
    registry.set_policy(FLOOR)
    registry.register_model("gone")
    registry.delete_model("gone")
    assert registry.verify() == []
    chain = chain_of(registry)
    text = chain.links[0].canonical_text.replace('"actor":"ada"', '"actor":"bob"')
    chain.links[0] = replace(chain.links[0], canonical_text=text)
    (broken,) = registry.verify()
    assert (broken.chain, broken.sequence) == (chain.uid, 1)
    assert "hash" in str(broken)


# Threads


def in_threads(count: int, call: Callable[[int], object]) -> list[BaseException]:
    """Run `call` in `count` threads simultaneously; return the exceptions they raised."""
    barrier, errors = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            call(number)
        except Exception as error:  # noqa: BLE001 - each is looked at by the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    return errors


def test_concurrent_registrations_get_different_numbers(registry: InMemoryRegistry) -> None:
    def register(_: int) -> None:
        for _ in range(20):
            registry.register_model("m")

    assert in_threads(8, register) == []
    assert [v.version for v in registry.list_versions("m")] == list(range(1, 162))
    assert registry.verify() == []


def test_of_concurrent_promotions_one_succeeds(registry: InMemoryRegistry) -> None:
    errors = in_threads(
        8, lambda _: registry.transition_stage("m", 1, Stage.STAGING, expected_revision=1)
    )
    assert len(errors) == 7
    assert {type(error).__name__ for error in errors} == {"Conflict"}
    assert len(registry.get_transitions("m")) == 2
    assert registry.verify() == []


def test_concurrent_tagging_loses_no_tag(registry: InMemoryRegistry) -> None:
    assert in_threads(8, lambda n: registry.set_tag("m", f"k{n}", "v", 1)) == []
    version = registry.get_version("m", 1)
    assert len(version.tags) == 8
    assert version.revision == 9
