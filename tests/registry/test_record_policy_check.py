"""Stored policy checks, which contain their evidence and move nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import Actor
from boards.models import ModelVersion, PolicyCheck, RegisteredModel
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.checks import check_reference, record_policy_check
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput, NotAllowed, NotFound
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ACCURATE = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)


@pytest.fixture(autouse=True)
def resnet50(alice):
    for accuracy in (0.85, 0.95):
        register_version(
            draft=VersionDraft(
                model="resnet50",
                metrics={"accuracy": accuracy},
                artifact_path="s3://models/resnet50",
            ),
            actor=Actor(alice, Channel.CLI),
            at=NOON,
        )


@pytest.fixture
def policy(alice):
    return set_policy(policy=ACCURATE, actor=Actor(alice, Channel.CLI), at=NOON)


@pytest.fixture
def check(carol):
    def make(number, to_stage=None, *, by=carol, name="resnet50"):
        actor = Actor(by, Channel.API)
        return record_policy_check(
            name=name, version=number, to_stage=to_stage, actor=actor, at=LATER
        )

    return make


@pytest.mark.parametrize(("number", "passed"), [(1, False), (2, True)])
def test_a_check_is_stored_with_its_evidence_and_one_event(
    number, passed, check, policy, new_events, carol
):
    new_events()
    made = check(number)

    (event,) = new_events()
    assert event.action == "model_version.policy_checked"
    assert (event.actor, event.channel, event.to_stage) == (carol, "api", "staging")
    assert event.data == {**check_reference(made), "passed": passed}
    stored = PolicyCheck.objects.get()
    assert (stored.passed, stored.allowed, stored.refusals) == (passed, None, [])
    assert (stored.policy_revision, stored.made_by, stored.made_at) == (policy, carol, LATER)
    assert (stored.from_stage, stored.to_stage) == ("development", "staging")
    accuracy = {1: 0.85, 2: 0.95}[number]
    assert stored.evidence == {
        "version": {"number": number, "metrics": {"accuracy": {"value": accuracy}}},
        "champion": None,
        "artifact_uri": "s3://models/resnet50",
        "artifact_digest": "",
        "description": "",
        "tags": {},
        "hours_in_stage": 1.0,
        "is_rollback": False,
        "waivers": [],
        "request": None,
        "approvals": [],
        "warnings": [],
        "scales": {},
    }
    policy_result = PolicyResult.from_document(stored.verdict)
    assert (policy_result.passed, policy_result.policy_revision) == (passed, 1)
    assert policy_result.outcomes[0].observed == accuracy


def test_a_check_moves_nothing(check, policy):
    versions = list(ModelVersion.objects.order_by("pk").values())
    counts = RegisteredModel.objects.values("development_count", "staging_count", "updated_at")
    before = counts.get()
    check(2)
    assert list(ModelVersion.objects.order_by("pk").values()) == versions
    assert counts.get() == before


def test_a_stored_check_does_not_change_with_its_version(check, policy, alice):
    actor = Actor(alice, Channel.CLI)
    made = PolicyCheck.objects.filter(pk=check(2).pk).values()
    frozen = made.get()
    log_metrics(name="resnet50", version=2, metrics={"accuracy": 0.1}, actor=actor, at=LATER)
    set_policy(policy=ACCURATE.require_approvals(2), actor=actor, at=LATER)
    transition_stage(
        name="resnet50",
        version=1,
        intent=TransitionIntent(to_stage=Stage.ARCHIVED),
        actor=actor,
        at=LATER,
    )
    assert made.get() == frozen


def test_each_requested_check_is_stored(check, policy, new_events):
    new_events()
    check(1)
    check(1)
    assert PolicyCheck.objects.count() == len(new_events()) == 2


def test_without_a_policy_the_check_passes_and_says_so(check):
    made = check(1)
    assert made.passed
    assert made.policy_revision is None
    assert made.verdict["has_policy"] is False


def test_another_stage_than_the_next_can_be_checked(check, policy):
    made = check(1, Stage.PRODUCTION)
    assert (made.to_stage, made.policy_revision) == ("production", None)


def test_without_a_next_stage_one_must_be_named(check, alice, whole_database):
    transition_stage(
        name="resnet50",
        version=1,
        intent=TransitionIntent(to_stage=Stage.ARCHIVED),
        actor=Actor(alice, Channel.CLI),
        at=LATER,
    )
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        check(1)
    assert refused.value.field == "to_stage"
    assert whole_database() == before
    assert check(1, Stage.STAGING).to_stage == "staging"


@pytest.mark.parametrize("where", [{"name": "nothing"}, {"number": 9}], ids=str)
def test_an_unknown_version_cannot_be_checked(where, check, whole_database):
    before = whole_database()
    with pytest.raises(NotFound):
        check(**{"number": 1, **where})
    assert whole_database() == before


def test_an_account_that_can_only_view_stores_no_check(
    check, victor, django_user_model, whole_database
):
    stranger = django_user_model.objects.create(username="stranger")
    before = whole_database()
    for account in (stranger, victor):
        with pytest.raises(NotAllowed, match="does not have permission to move versions"):
            check(1, by=account)
    assert whole_database() == before
