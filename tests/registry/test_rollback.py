"""Rollback: restores the last good version and archives the rest, all or nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from boards.access.actors import SYSTEM, Actor
from boards.models import ModelVersion, PolicyCheck, RegisteredModel
from boards.queries.verification.verification import verify_chains
from boards.registry.catalog.catalog import delete_version
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.policies.limits import set_wip_limit
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.rollback import rollback
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput, NotAllowed, NotFound, RegistryError
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel, VersionDraft
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.limits import WipLimit

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
STAGING, PRODUCTION, ARCHIVED = Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED


def promote(*, archive=True):
    """Register a version of resnet50 and promote it to Production; return its number."""
    number = register_version(
        draft=VersionDraft(model="resnet50", metrics={"f1": 0.9}), actor=SYSTEM, at=NOON
    ).number
    for stage in (STAGING, PRODUCTION):
        transition_stage(
            name="resnet50",
            version=number,
            intent=TransitionIntent(
                to_stage=stage, archive_existing=archive and stage is PRODUCTION
            ),
            actor=SYSTEM,
            at=NOON,
        )
    return number


def back(to_version=None, *, by=SYSTEM, reason="errors doubled", **more):
    return rollback(
        name="resnet50", to_version=to_version, reason=reason, actor=by, at=LATER, **more
    )


def stages():
    rows = ModelVersion.objects.filter(deleted_at=None).order_by("number")
    return {row.number: row.stage for row in rows}


def test_the_last_version_is_restored_and_the_rest_archived_in_one_operation(alice, new_events):
    for _ in range(2):
        promote()
    new_events()

    moved = back(by=Actor(alice, Channel.PAGE))

    assert (moved.version, moved.archived, moved.is_rollback) == (1, (2,), True)
    assert stages() == {1: "production", 2: "archived"}
    model = RegisteredModel.objects.get()
    assert model.champion.number == 1
    assert (model.production_count, model.archived_count) == (1, 1)
    events = new_events()
    assert [(e.action, e.version.number, e.to_stage) for e in events] == [
        ("model_version.rolled_back", 2, "archived"),
        ("model_version.rolled_back", 1, "production"),
        ("alias.set", 1, ""),
    ]
    assert len({event.operation for event in events[:2]}) == 1
    assert {event.actor for event in events} == {alice}
    assert events[1].texts.get().text == "errors doubled"
    assert verify_chains().broken == ()


def test_every_other_version_in_production_is_archived():
    promote()
    promote()
    promote(archive=False)
    moved = back()
    assert (moved.version, moved.archived) == (1, (2, 3))


def test_a_second_rollback_skips_a_rolled_back_version():
    for _ in range(3):
        promote()
    assert back().version == 2
    assert back().version == 1
    assert stages() == {1: "production", 2: "archived", 3: "archived"}
    with pytest.raises(InvalidInput, match="Choose the version to restore"):
        back()


def test_a_rolled_back_version_can_be_named():
    promote()
    promote()
    back()
    assert back(2).version == 2
    assert stages() == {1: "archived", 2: "production"}


def test_a_version_promoted_again_is_a_rollback_target_again(settings):
    settings.OBEYA_WORKFLOW = "open"
    promote()
    promote()
    back()
    transition_stage(
        name="resnet50",
        version=2,
        intent=TransitionIntent(to_stage=PRODUCTION, archive_existing=True),
        actor=SYSTEM,
        at=LATER,
    )
    promote()
    assert back().version == 2


def test_a_deleted_version_is_skipped_and_cannot_be_named():
    for _ in range(3):
        promote()
    delete_version(name="resnet50", version=2, actor=SYSTEM, at=NOON)
    with pytest.raises(NotFound):
        back(2)
    assert back().version == 1


def test_it_works_with_nothing_in_production():
    number = promote()
    transition_stage(
        name="resnet50",
        version=number,
        intent=TransitionIntent(to_stage=ARCHIVED),
        actor=SYSTEM,
        at=NOON,
    )
    moved = back()
    assert (moved.version, moved.archived) == (1, ())


@pytest.mark.parametrize(
    ("to_version", "said"),
    [
        (2, "resnet50 v2 is already in Production."),
        (3, "resnet50 v3 was never in Production. Promote it instead."),
        (None, "Choose the version to restore"),
    ],
)
def test_an_invalid_target_is_refused_and_nothing_changes(to_version, said, whole_database):
    promote()
    delete_version(name="resnet50", version=1, actor=SYSTEM, at=NOON)
    promote()
    register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON)
    before = whole_database()
    with pytest.raises(InvalidInput, match=said) as refused:
        back(to_version)
    assert refused.value.field == "to_version"
    assert whole_database() == before


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_it_needs_a_reason(reason, whole_database):
    promote()
    promote()
    before = whole_database()
    with pytest.raises(InvalidInput, match="A reason is required to roll back"):
        back(reason=reason)
    assert whole_database() == before


@pytest.mark.parametrize("who", ["victor", "carol", "anna"])
def test_rolling_back_requires_the_promote_permission(who, request, whole_database):
    promote()
    promote()
    person = request.getfixturevalue(who)
    before = whole_database()
    with pytest.raises(NotAllowed):
        back(by=Actor(person, Channel.PAGE))
    assert whole_database() == before


def test_policy_and_limit_are_checked_and_stored_but_block_nothing():
    promote()
    promote()
    set_policy(
        policy=PromotionPolicy(PRODUCTION).require_metric("f1", Comparison.GTE, 0.99),
        actor=SYSTEM,
        at=NOON,
    )
    set_wip_limit(limit=WipLimit(PRODUCTION, 1), actor=SYSTEM, at=NOON)

    back()

    check = PolicyCheck.objects.get(version__number=1, policy_revision__isnull=False)
    assert (check.passed, check.allowed, check.refusals) == (False, True, [])
    assert check.evidence["warnings"][0]["sentence"].startswith("f1 is 0.9; required: ≥ 0.99")
    assert stages()[1] == "production"


def test_a_stale_rollback_is_refused_and_changes_nothing(whole_database):
    for _ in range(3):
        promote()
    before = whole_database()
    with pytest.raises(Conflict, match="Now there: v3"):
        back(1, expected_production={2})
    assert whole_database() == before
    assert back(1, expected_production={3}).version == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_concurrent_rollbacks_one_succeeds():
    for _ in range(3):
        promote()
    barrier = threading.Barrier(8)

    def run(_):
        try:
            barrier.wait(timeout=30)
            return back(expected_production={3})
        except RegistryError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(run, range(8), timeout=120))

    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    assert stages() == {1: "archived", 2: "production", 3: "archived"}
    assert verify_chains().broken == ()


def test_metrics_logged_since_do_not_prevent_a_rollback():
    promote()
    promote()
    log_metrics(name="resnet50", version=1, metrics={"f1": 0.1}, actor=SYSTEM, at=NOON)
    assert back().version == 1
