"""WIP limits: refusals of a full stage, and concurrent moves that never exceed a limit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connections

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, ModelVersion, PolicyCheck, RegisteredModel, WipLimit
from boards.queries.verification.verification import verify_chains
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.policies.limits import remove_wip_limit, set_wip_limit
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput, NotAllowed, NotFound, RegistryError
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult
from obeya.records import Channel, VersionDraft
from obeya.refusals import TransitionRefused
from obeya.stages import Stage
from obeya.transitions import limits
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.limits import LimitMode

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
STAGING, PRODUCTION, ARCHIVED = Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED
PARALLEL = 20
LIMIT = 3


def register(name="resnet50"):
    return register_version(draft=VersionDraft(model=name), actor=SYSTEM, at=NOON).number


def move(version, *stages, name="resnet50", **more):
    for stage in stages:
        moved = transition_stage(
            name=name,
            version=version,
            intent=TransitionIntent(to_stage=stage, **more),
            actor=SYSTEM,
            at=LATER,
        )
    return moved


def limit(stage, count, mode=LimitMode.BLOCK, name=None, by=SYSTEM):
    set_wip_limit(limit=limits.WipLimit(stage, count, mode), name=name, actor=by, at=NOON)


def concurrently(*calls):
    """Run the calls concurrently; return each result, or the registry's error."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        try:
            barrier.wait(timeout=30)
            return call()
        except RegistryError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls, timeout=120))


def most_ever_in(stage):
    """Return the highest number of versions that a stage had at any event of the log."""
    there, most = set(), 0
    for event in AuditEvent.objects.exclude(to_stage="").order_by("pk"):
        if event.action not in ("model_version.stage_transitioned", "model_version.rolled_back"):
            continue
        there.discard(event.version_id)
        if event.to_stage == stage.value:
            there.add(event.version_id)
        most = max(most, len(there))
    return most


def assert_exactly_the_limit_got_in(outcomes):
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert len(outcomes) - len(refused) == LIMIT
    assert all(isinstance(error, TransitionRefused) for error in refused)
    assert {r.code for error in refused for r in error.refusals} == {"wip_limit_reached"}
    assert ModelVersion.objects.filter(stage="staging").count() == LIMIT
    assert most_ever_in(STAGING) == LIMIT
    assert AuditEvent.objects.filter(action="model_version.transition_refused").count() == len(
        refused
    )
    assert verify_chains().broken == ()


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_moves_never_exceed_a_models_limit():
    numbers = [register() for _ in range(PARALLEL)]
    limit(STAGING, LIMIT, name="resnet50")

    outcomes = concurrently(*[partial(move, number, STAGING) for number in numbers])

    assert_exactly_the_limit_got_in(outcomes)
    assert RegisteredModel.objects.get().staging_count == LIMIT


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_moves_of_twenty_models_never_exceed_the_registrys_limit():
    for n in range(PARALLEL):
        register(f"model {n}")
    limit(STAGING, LIMIT)

    outcomes = concurrently(
        *[partial(move, 1, STAGING, name=f"model {n}") for n in range(PARALLEL)]
    )

    assert_exactly_the_limit_got_in(outcomes)
    assert RegisteredModel.objects.filter(staging_count=1).count() == LIMIT


@pytest.mark.django_db(transaction=True)
def test_parallel_promotions_that_archive_existing_versions_keep_a_limit_of_one():
    numbers = [register() for _ in range(8)]
    for number in numbers:
        move(number, STAGING)
    limit(PRODUCTION, 1, name="resnet50")

    outcomes = concurrently(
        *[partial(move, number, PRODUCTION, archive_existing=True) for number in numbers]
    )

    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert most_ever_in(PRODUCTION) == 1
    assert RegisteredModel.objects.get().production_count == 1


@pytest.mark.django_db
def test_a_full_stage_refuses_lists_its_versions_and_adds_one_event(new_events):
    for _ in range(2):
        register()
    move(1, STAGING)
    limit(STAGING, 1, name="resnet50")
    new_events()

    with pytest.raises(TransitionRefused) as refused:
        move(2, STAGING)

    assert str(refused.value) == (
        "Staging is full: it has 1 version (v1), and the WIP limit for this model is 1."
    )
    assert [event.action for event in new_events()] == ["model_version.transition_refused"]
    assert ModelVersion.objects.get(number=2).stage == "development"


@pytest.mark.django_db
def test_a_limit_that_only_warns_accepts_the_move_and_stores_the_warning():
    for _ in range(2):
        move(register(), STAGING)
    limit(PRODUCTION, 1, LimitMode.WARN)
    move(1, PRODUCTION)
    move(2, PRODUCTION)

    row = ModelVersion.objects.get(number=2)
    assert row.stage == "production"
    (warning,) = row.checks.get(to_stage="production").evidence["warnings"]
    assert warning["sentence"].endswith("and the WIP limit across all models is 1.")


@pytest.mark.django_db
def test_archiving_existing_versions_makes_room_under_both_limits():
    for _ in range(2):
        move(register(), STAGING)
    limit(PRODUCTION, 1, name="resnet50")
    limit(PRODUCTION, 1)
    move(1, PRODUCTION)

    with pytest.raises(TransitionRefused) as refused:
        move(2, PRODUCTION)
    assert len(refused.value.refusals) == 2

    moved = move(2, PRODUCTION, archive_existing=True)
    assert moved.archived == (1,)


@pytest.mark.django_db
def test_archiving_makes_no_room_if_another_model_fills_the_stage():
    move(register("other"), STAGING, PRODUCTION, name="other")
    move(register(), STAGING)
    limit(PRODUCTION, 1)
    with pytest.raises(TransitionRefused, match="other v1"):
        move(1, PRODUCTION, archive_existing=True)


@pytest.mark.django_db
def test_versions_over_a_new_limit_stay_and_can_always_leave():
    for _ in range(3):
        move(register(), STAGING)
    limit(STAGING, 1, name="resnet50")
    assert RegisteredModel.objects.get().staging_count == 3
    move(1, ARCHIVED)
    assert RegisteredModel.objects.get().staging_count == 2


@pytest.mark.django_db
def test_setting_changing_and_removing_leave_an_event_each_and_the_same_again_none(new_events):
    register()
    new_events()
    limit(STAGING, 3, name="resnet50")
    limit(STAGING, 3, name="resnet50")
    limit(STAGING, 4, LimitMode.WARN, name="resnet50")
    remove_wip_limit(stage=STAGING, name="resnet50", actor=SYSTEM, at=NOON)

    events = new_events()
    assert [(event.action, event.to_stage) for event in events] == [
        ("wip_limit.set", "staging"),
        ("wip_limit.set", "staging"),
        ("wip_limit.removed", "staging"),
    ]
    assert [event.data for event in events[:2]] == [
        {"limit": 3, "mode": "block"},
        {"limit": 4, "mode": "warn"},
    ]
    assert not WipLimit.objects.exists()


@pytest.mark.django_db
def test_the_limits_of_the_registry_and_of_a_model_are_separate(new_events):
    register()
    limit(STAGING, 3)
    limit(STAGING, 2, name="resnet50")
    remove_wip_limit(stage=STAGING, actor=SYSTEM, at=NOON)
    assert WipLimit.objects.get().model.name == "resnet50"
    with pytest.raises(NotFound, match="Staging has no WIP limit"):
        remove_wip_limit(stage=STAGING, actor=SYSTEM, at=NOON)


@pytest.mark.django_db
def test_setting_and_removing_limits_requires_the_policy_permission(peter, whole_database):
    register()
    limit(STAGING, 3)
    before = whole_database()
    by = Actor(peter, Channel.PAGE)
    with pytest.raises(NotAllowed):
        limit(STAGING, 9, by=by)
    with pytest.raises(NotAllowed):
        limit(STAGING, 9, name="resnet50", by=by)
    with pytest.raises(NotAllowed):
        remove_wip_limit(stage=STAGING, actor=by, at=NOON)
    assert whole_database() == before


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3", 1_000_001])
def test_an_invalid_limit_is_refused(count):
    with pytest.raises(InvalidInput, match="whole number"):
        limit(STAGING, count)


@pytest.mark.django_db
def test_archived_takes_no_limit():
    with pytest.raises(InvalidInput, match="archiving is always possible"):
        limit(ARCHIVED, 3)


@pytest.mark.django_db
def test_a_refused_demotion_does_not_mention_policies(settings):
    settings.OBEYA_WORKFLOW = "returns"
    set_policy(
        policy=PromotionPolicy(STAGING).require_metric("auc", Comparison.GTE, 0.1),
        actor=SYSTEM,
        at=NOON,
    )
    register()
    with pytest.raises(TransitionRefused):
        move(1, STAGING)
    log_metrics(name="resnet50", version=1, metrics={"auc": 0.5}, actor=SYSTEM, at=NOON)
    move(1, STAGING, PRODUCTION)
    register()
    log_metrics(name="resnet50", version=2, metrics={"auc": 0.5}, actor=SYSTEM, at=NOON)
    move(2, STAGING)
    limit(STAGING, 1)
    with pytest.raises(TransitionRefused) as refused:
        move(1, STAGING)
    check = PolicyCheck.objects.get(uid=refused.value.check_id)
    assert check.policy_revision is None
    assert PolicyResult.from_document(check.verdict).sentence == (
        "Policies apply only to promotions: nothing to check."
    )
