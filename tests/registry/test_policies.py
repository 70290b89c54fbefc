"""Setting promotion policies: revisions, the policy in force, and events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import Actor
from boards.models import AuditEvent, PolicyRevision, RegisteredModel, SiteChain
from boards.queries.facts.policies_in_force import policy_in_force
from boards.registry.catalog.registration import register_version
from boards.registry.policies.policies import set_policy
from obeya.errors import InvalidInput, NotAllowed, NotFound
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel, VersionDraft
from obeya.refusals import Conflict
from obeya.stages import Stage

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ACCURATE = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
STRICTER = ACCURATE.require_test_coverage(80).require_approvals(2)


@pytest.fixture(autouse=True)
def resnet50(alice):
    return register_version(
        draft=VersionDraft(model="resnet50"), actor=Actor(alice, Channel.CLI), at=NOON
    ).model


@pytest.fixture
def guard(alice):
    def make(policy, name=None, *, by=alice, at=LATER, **more):
        actor = Actor(by, Channel.PAGE)
        return set_policy(policy=policy, name=name, actor=actor, at=at, **more)

    return make


@pytest.mark.parametrize("name", [None, "resnet50"])
def test_a_policy_is_a_revision_and_one_event_of_its_chain(name, guard, new_events, alice):
    revision = guard(STRICTER, name)

    (event,) = new_events()
    assert event.action == "promotion_policy.set"
    assert (event.model.name if event.model else None) == name
    assert (event.actor, event.channel, event.to_stage) == (alice, "page", "staging")
    assert event.data == {"revision": 1, "policy": STRICTER.to_document()}
    assert (revision.number, revision.stage, revision.created_by) == (1, "staging", alice)
    assert revision.created_at == event.occurred_at == LATER
    assert PromotionPolicy.from_document(revision.document) == STRICTER


@pytest.mark.parametrize("name", [None, "resnet50"])
def test_an_edit_creates_a_new_revision_and_keeps_the_old_one(name, guard):
    first = guard(ACCURATE, name)
    second = guard(STRICTER, name, at=LATER + timedelta(hours=1))

    old = PolicyRevision.objects.get(pk=first.pk)
    assert (old.document, old.number, old.created_at) == (first.document, 1, LATER)
    assert old.superseded_at == second.created_at
    assert (second.number, second.superseded_at) == (2, None)


def test_setting_the_same_policy_again_creates_no_revision_and_no_event(guard, whole_database):
    first = guard(ACCURATE)
    before = whole_database()
    assert guard(ACCURATE) == first
    assert whole_database() == before


def test_a_restored_policy_is_a_new_revision(guard):
    assert [guard(policy).number for policy in (ACCURATE, STRICTER, ACCURATE)] == [1, 2, 3]
    assert PolicyRevision.objects.filter(superseded_at=None).count() == 1


def test_default_and_model_policies_number_revisions_separately_per_stage(guard):
    production = PromotionPolicy(Stage.PRODUCTION).require_approvals(1)
    assert guard(ACCURATE).number == 1
    assert guard(ACCURATE, "resnet50").number == 1
    assert guard(production).number == 1
    assert PolicyRevision.objects.filter(superseded_at=None).count() == 3


def test_a_model_policy_applies_to_its_model_and_the_default_to_all_others(guard, resnet50, alice):
    bert = register_version(
        draft=VersionDraft(model="bert"), actor=Actor(alice, Channel.CLI), at=NOON
    ).model
    site = guard(ACCURATE)
    own = guard(STRICTER, "resnet50")
    assert policy_in_force(resnet50, Stage.STAGING).row == own
    assert policy_in_force(bert, Stage.STAGING).row == site
    assert policy_in_force(None, Stage.STAGING).row == site
    assert policy_in_force(bert, Stage.PRODUCTION) is None


def test_the_first_default_policy_begins_the_registrys_chain(guard):
    guard(ACCURATE)
    chain = SiteChain.objects.get()
    assert chain.chain_length == AuditEvent.objects.filter(model=None).count() == 1


@pytest.mark.parametrize("name", [None, "resnet50"])
def test_an_edit_of_a_revision_that_was_replaced_meanwhile_is_a_conflict(
    name, guard, whole_database
):
    assert guard(ACCURATE, name, expected_revision=0).number == 1
    assert guard(STRICTER, name, expected_revision=1).number == 2
    before = whole_database()
    for stale in (0, 1, 3):
        with pytest.raises(Conflict) as conflict:
            guard(ACCURATE, name, expected_revision=stale)
        assert conflict.value.revision == 2
    assert whole_database() == before


def test_a_policy_without_a_stage_is_refused(guard, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        guard(PromotionPolicy().require_approvals(1))
    assert refused.value.field == "stage"
    assert whole_database() == before


def test_a_policy_of_an_unknown_model_is_refused(guard, whole_database):
    before = whole_database()
    with pytest.raises(NotFound):
        guard(ACCURATE, "nothing")
    assert whole_database() == before


def test_a_promoter_cannot_edit_policies(guard, peter, whole_database):
    before = whole_database()
    for name in (None, "resnet50"):
        with pytest.raises(NotAllowed) as refused:
            guard(ACCURATE, name, by=peter)
        assert refused.value.permission == "edit_policy"
    assert whole_database() == before


def test_a_policy_changes_no_version(guard):
    before = RegisteredModel.objects.values("development_count", "updated_at").get()
    guard(ACCURATE, "resnet50")
    assert RegisteredModel.objects.values("development_count", "updated_at").get() == before
