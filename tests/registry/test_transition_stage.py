"""Moving a version: state changes, events, and every kind of refusal."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import SYSTEM, Actor
from boards.models import (
    AuditEvent,
    AuditText,
    ModelVersion,
    PolicyCheck,
    RegisteredModel,
)
from boards.queries.verification.verification import verify_chains
from boards.registry.catalog.catalog import configure_model, delete_version
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.checks import check_reference
from boards.registry.transitions.transitions import transition_stage
from obeya.audit.chain import text_digest
from obeya.errors import InvalidInput, NotAllowed, NotFound, RefusalKind, RegistryError
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel, VersionDraft
from obeya.refusals import Conflict, InvalidTransition, TransitionRefused
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

pytestmark = pytest.mark.both_engines

DEVELOPMENT, STAGING, PRODUCTION, ARCHIVED = Stage
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ACCURATE = PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.9)

MOVES = {
    "strict": {
        DEVELOPMENT: {STAGING, ARCHIVED},
        STAGING: {PRODUCTION, ARCHIVED},
        PRODUCTION: {ARCHIVED},
        ARCHIVED: set(),
    },
    "returns": {
        DEVELOPMENT: {STAGING, ARCHIVED},
        STAGING: {DEVELOPMENT, PRODUCTION, ARCHIVED},
        PRODUCTION: {STAGING, ARCHIVED},
        ARCHIVED: {DEVELOPMENT},
    },
    "open": {stage: set(Stage) - {stage} for stage in Stage},
}


@pytest.fixture(autouse=True)
def resnet50(alice):
    """Register three versions in Development, with accuracies of 0.85, 0.91 and 0.95."""
    for accuracy in (0.85, 0.91, 0.95):
        register_version(
            draft=VersionDraft(model="resnet50", metrics={"accuracy": accuracy}),
            actor=Actor(alice, Channel.CLI),
            at=NOON,
        )


@pytest.fixture
def move(alice):
    def make(number, to_stage, *, by=alice, at=LATER, **more):
        return transition_stage(
            name="resnet50",
            version=number,
            intent=TransitionIntent(to_stage=to_stage, **more),
            actor=Actor(by, Channel.PAGE),
            at=at,
        )

    return make


@pytest.fixture
def guarded(alice):
    """Set a policy for a stage of resnet50."""

    def make(policy, at=NOON):
        return set_policy(policy=policy, name="resnet50", actor=Actor(alice, Channel.PAGE), at=at)

    return make


def model():
    return RegisteredModel.objects.get(name="resnet50")


def version(number):
    return ModelVersion.objects.get(model__name="resnet50", number=number)


def counts():
    return tuple(model().count_in(stage) for stage in Stage)


def champion():
    crowned = model().champion
    return crowned.number if crowned else None


# --- Successful moves -----------------------------------------------------------------------------


def test_a_move_changes_stage_revision_and_the_time_of_entry(move):
    move(1, STAGING)

    row = version(1)
    assert (row.stage, row.revision) == ("staging", 2)
    assert row.stage_entered_at == row.updated_at == LATER
    assert row.created_at == NOON
    assert model().updated_at == LATER


def test_a_move_keeps_the_counts_of_the_model(move):
    move(1, STAGING)
    assert counts() == (2, 1, 0, 0)
    move(1, PRODUCTION)
    assert counts() == (2, 0, 1, 0)
    move(1, ARCHIVED)
    assert counts() == (2, 0, 0, 1)


def test_a_move_writes_one_event_with_actor_stages_and_reason(move, new_events, peter):
    before = model()

    move(1, STAGING, by=peter, reason=" Best so far. ")

    (event,) = new_events()
    assert event.action == "model_version.stage_transitioned"
    assert (event.actor, event.channel) == (peter, "page")
    assert (event.model, event.version) == (before, version(1))
    assert (event.from_stage, event.to_stage) == ("development", "staging")
    assert event.occurred_at == LATER
    assert event.sequence == before.chain_length + 1
    assert event.previous_hash == before.chain_hash
    assert event.operation is not None
    assert event.data == check_reference(PolicyCheck.objects.get())
    assert AuditText.objects.get(event=event, role="reason").text == "Best so far."
    record = json.loads(event.canonical_text)
    assert record["texts"] == {"reason": text_digest("Best so far.")}
    assert record["operation"] == str(event.operation)
    assert "Best so far." not in event.canonical_text
    assert (model().chain_length, model().chain_hash) == (event.sequence, event.hash)


def test_a_move_returns_its_transition(move, new_events, peter):
    made = move(2, STAGING, by=peter, reason="Go.")

    (event,) = new_events()
    assert (made.model, made.version) == ("resnet50", 2)
    assert (made.from_stage, made.to_stage) == (DEVELOPMENT, STAGING)
    assert (made.actor, made.reason, made.timestamp) == ("peter", "Go.", LATER)
    assert (made.operation_id, made.archived) == (str(event.operation), ())


def test_a_move_without_a_reason_stores_no_text(move, new_events):
    move(1, STAGING)
    (event,) = new_events()
    assert json.loads(event.canonical_text)["texts"] == {}
    assert not AuditText.objects.filter(event=event).exists()


def test_the_registry_itself_can_move_and_is_named_as_the_system(move, new_events):
    transition_stage(
        name="resnet50",
        version=1,
        intent=TransitionIntent(to_stage=STAGING),
        actor=SYSTEM,
        at=LATER,
    )
    (event,) = new_events()
    assert (event.actor, event.channel) == (None, "system")
    assert json.loads(event.canonical_text)["actor"] == "system"


def test_a_stage_may_be_given_by_its_name(move):
    move(1, "Staging")
    assert version(1).stage == "staging"


# --- The workflow ---------------------------------------------------------------------------------


@pytest.mark.parametrize("from_stage", list(Stage))
@pytest.mark.parametrize("workflow", list(MOVES))
def test_the_default_workflow_allows_only_its_moves(
    workflow, from_stage, move, settings, whole_database
):
    for number, to_stage in enumerate(Stage, start=4):
        register_version(
            draft=VersionDraft(model="resnet50", version=number), actor=SYSTEM, at=NOON
        )
        settings.OBEYA_WORKFLOW = "open"
        if from_stage is not DEVELOPMENT:
            move(number, from_stage)
        settings.OBEYA_WORKFLOW = workflow
        before = whole_database()

        if to_stage in MOVES[workflow][from_stage]:
            move(number, to_stage)
            assert version(number).stage == to_stage.value
        else:
            with pytest.raises(InvalidTransition):
                move(number, to_stage)
            assert whole_database() == before


def test_a_refusal_by_the_workflow_names_both_stages_and_what_is_allowed(move, whole_database):
    before = whole_database()

    with pytest.raises(InvalidTransition) as refused:
        move(1, PRODUCTION)

    assert str(refused.value) == (
        "Development to Production is not allowed: it skips Staging. "
        "Allowed from Development: Staging, Archived."
    )
    assert (refused.value.from_stage, refused.value.to_stage) == (DEVELOPMENT, PRODUCTION)
    assert refused.value.check_id is None
    assert whole_database() == before


def test_a_move_to_the_current_stage_is_refused(move, whole_database):
    before = whole_database()
    with pytest.raises(InvalidTransition) as refused:
        move(1, DEVELOPMENT)
    assert [refusal.code for refusal in refused.value.refusals] == ["already_there"]
    assert whole_database() == before


def test_the_model_workflow_overrides_the_default(move, alice, settings):
    settings.OBEYA_WORKFLOW = "strict"
    actor = Actor(alice, Channel.PAGE)
    configure_model(name="resnet50", workflow="open", actor=actor, at=NOON)
    move(1, PRODUCTION)
    assert version(1).stage == "production"

    configure_model(name="resnet50", workflow="", actor=actor, at=NOON)
    with pytest.raises(InvalidTransition):
        move(1, DEVELOPMENT)


def test_a_refusal_by_workflow_and_policy_together_names_both_and_leaves_nothing(
    move, guarded, whole_database
):
    guarded(PromotionPolicy(PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.99))
    before = whole_database()

    with pytest.raises(InvalidTransition) as refused:
        move(1, PRODUCTION)

    kinds = [refusal.kind for refusal in refused.value.refusals]
    assert kinds == [RefusalKind.WORKFLOW, RefusalKind.POLICY]
    assert refused.value.policy_result is not None
    assert whole_database() == before


# --- The policy -----------------------------------------------------------------------------------


def test_a_move_refused_by_policy_adds_only_one_event_and_one_check(
    move, guarded, new_events, whole_database, peter
):
    revision = guarded(ACCURATE)
    new_events()
    before, versions = model(), whole_database()["ModelVersion"]

    with pytest.raises(TransitionRefused) as refused:
        move(1, STAGING, by=peter, reason="Please.")

    assert not isinstance(refused.value, InvalidTransition)
    assert str(refused.value) == "accuracy is 0.85; required: ≥ 0.9."
    assert whole_database()["ModelVersion"] == versions
    assert counts() == (3, 0, 0, 0)
    assert model().updated_at == before.updated_at
    check = PolicyCheck.objects.get()
    assert str(check.uid) == refused.value.check_id
    assert (check.passed, check.allowed) == (False, False)
    assert (check.policy_revision, check.made_by, check.made_at) == (revision, peter, LATER)
    assert (check.from_stage, check.to_stage) == ("development", "staging")
    (event,) = new_events()
    assert event.action == "model_version.transition_refused"
    assert (event.actor, event.version) == (peter, version(1))
    assert (event.from_stage, event.to_stage) == ("development", "staging")
    assert event.data["check"] == str(check.uid)
    assert event.data["refusals"] == check.refusals
    assert [refusal["kind"] for refusal in check.refusals] == ["policy"]
    assert event.texts.get().text == "Please."
    assert model().chain_length == before.chain_length + 1
    assert verify_chains().broken == ()


def test_a_metric_that_was_not_measured_refuses_the_move(move, guarded):
    guarded(PromotionPolicy(STAGING).require_metric("f1", Comparison.GTE, 0.1))
    with pytest.raises(TransitionRefused, match="f1 was not measured"):
        move(3, STAGING)


def test_missing_approvals_refuse_the_move_and_add_one_event_with_its_check(
    move, guarded, new_events
):
    guarded(PromotionPolicy(STAGING).require_approvals(2))
    new_events()

    with pytest.raises(TransitionRefused) as refused:
        move(3, STAGING)

    assert [refusal.kind for refusal in refused.value.refusals] == [RefusalKind.APPROVALS]
    check = PolicyCheck.objects.get()
    assert (check.passed, check.allowed) == (True, False)
    assert [event.action for event in new_events()] == ["model_version.transition_refused"]
    assert version(3).stage == "development"


def test_all_refusals_are_listed_together(move, guarded):
    guarded(
        ACCURATE.require_metric("f1", Comparison.GTE, 0.5)
        .require_test_coverage(80)
        .require_approvals(1)
    )
    with pytest.raises(TransitionRefused) as refused:
        move(1, STAGING)
    assert [refusal.code for refusal in refused.value.refusals] == [
        "requirement_failed",
        "requirement_missing",
        "requirement_missing",
        "approvals_missing",
    ]


def test_a_move_that_passes_the_policy_stores_its_check_and_names_it_in_the_event(
    move, guarded, new_events
):
    guarded(ACCURATE)
    new_events()

    move(2, STAGING)

    check = PolicyCheck.objects.get()
    assert (check.passed, check.allowed, check.refusals) == (True, True, [])
    (event,) = new_events()
    assert event.data == check_reference(check)


def test_a_stored_check_freezes_the_evidence_the_champion_and_the_revision(move, guarded, alice):
    move(3, STAGING)
    move(3, PRODUCTION)
    guarded(ACCURATE, at=LATER)
    move(2, STAGING)
    check = PolicyCheck.objects.get(version=version(2))
    frozen = (check.evidence, check.verdict, check.policy_revision_id)

    actor = Actor(alice, Channel.API)
    for number in (2, 3):
        log_metrics(
            name="resnet50", version=number, metrics={"accuracy": 0.1}, actor=actor, at=LATER
        )
    guarded(ACCURATE.require_approvals(3), at=LATER)
    move(3, ARCHIVED)

    check.refresh_from_db()
    assert (check.evidence, check.verdict, check.policy_revision_id) == frozen
    assert check.evidence["version"] == {"number": 2, "metrics": {"accuracy": {"value": 0.91}}}
    assert check.evidence["champion"] == {
        "number": 3,
        "metrics": {"accuracy": {"value": 0.95}},
        "imported_unchecked": False,
    }
    assert check.verdict["policy_revision"] == check.policy_revision.number == 1
    (outcome,) = check.verdict["outcomes"]
    assert (outcome["observed"], outcome["bound"], outcome["baseline"]) == (0.91, 0.9, 0.95)


def test_the_model_policy_replaces_the_default_policy(move, guarded, alice):
    set_policy(policy=ACCURATE, actor=Actor(alice, Channel.PAGE), at=NOON)
    with pytest.raises(TransitionRefused):
        move(1, STAGING)
    guarded(PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.8))
    move(1, STAGING)
    assert version(1).stage == "staging"


def test_a_policy_never_applies_to_a_demotion_or_archiving(move, guarded, settings):
    settings.OBEYA_WORKFLOW = "returns"
    move(1, STAGING)
    move(1, PRODUCTION)
    guarded(PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 2), at=LATER)
    before = PolicyCheck.objects.count()
    move(1, STAGING)
    move(1, ARCHIVED)
    assert version(1).stage == "archived"
    assert PolicyCheck.objects.count() == before


def test_a_policy_applies_to_leaving_archived(move, guarded, settings):
    settings.OBEYA_WORKFLOW = "open"
    move(1, ARCHIVED)
    guarded(PromotionPolicy(PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9), at=LATER)
    with pytest.raises(TransitionRefused, match=r"accuracy is 0\.85"):
        move(1, PRODUCTION)


# --- Staleness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected",
    [{"expected_revision": 1}, {"expected_stage": DEVELOPMENT}],
    ids=lambda e: next(iter(e)),
)
def test_a_stale_expectation_is_a_conflict_with_the_current_state(
    move, expected, new_events, whole_database
):
    move(1, STAGING)
    new_events()
    before = whole_database()

    with pytest.raises(Conflict) as conflict:
        move(1, PRODUCTION, **expected)

    assert (conflict.value.stage, conflict.value.revision) == (STAGING, 2)
    assert "resnet50 v1" in str(conflict.value)
    assert whole_database() == before


def test_a_move_with_current_expectations_succeeds(move):
    move(1, STAGING, expected_stage=DEVELOPMENT, expected_revision=1)
    move(1, PRODUCTION, expected_stage=STAGING, expected_revision=2)
    assert version(1).revision == 3


def test_staleness_is_checked_before_the_rules(move):
    with pytest.raises(Conflict):
        move(1, PRODUCTION, expected_revision=7)


# --- Permissions and names ------------------------------------------------------------------------


def test_a_contributor_can_move_but_not_into_or_out_of_production(move, carol, whole_database):
    move(1, STAGING, by=carol)
    before = whole_database()
    with pytest.raises(NotAllowed) as refused:
        move(1, PRODUCTION, by=carol)
    assert refused.value.permission == "promote"
    assert whole_database() == before

    move(1, PRODUCTION)
    before = whole_database()
    with pytest.raises(NotAllowed):
        move(1, ARCHIVED, by=carol)
    assert whole_database() == before


def test_the_permission_is_checked_before_the_name(move, victor):
    for number in (1, 99):
        with pytest.raises(NotAllowed):
            move(number, STAGING, by=victor, expected_revision=99)
    with pytest.raises(NotAllowed):
        transition_stage(
            name="nothing",
            version=1,
            intent=TransitionIntent(to_stage=STAGING),
            actor=Actor(victor, Channel.API),
            at=LATER,
        )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "nothing"}, NotFound),
        ({"version": 99}, NotFound),
        ({"version": 0}, InvalidInput),
        ({"version": 2**40}, InvalidInput),
        ({"to_stage": "shipped"}, InvalidInput),
        ({"reason": "x" * 10_001}, InvalidInput),
        ({"reason": "\x00"}, InvalidInput),
    ],
    ids=str,
)
def test_an_invalid_move_leaves_nothing(changes, error, alice, whole_database):
    before = whole_database()
    asked = {"name": "resnet50", "version": 1, "to_stage": STAGING, "reason": "", **changes}
    name, version = asked.pop("name"), asked.pop("version")
    with pytest.raises(error):
        transition_stage(
            name=name,
            version=version,
            intent=TransitionIntent(**asked),
            actor=Actor(alice, Channel.API),
            at=LATER,
        )
    assert whole_database() == before


def test_a_deleted_version_cannot_be_moved(move, alice):
    delete_version(name="resnet50", version=1, actor=Actor(alice, Channel.PAGE), at=LATER)
    with pytest.raises(NotFound):
        move(1, STAGING)


def test_a_reason_can_be_required(move, settings, whole_database):
    settings.OBEYA_REQUIRE_REASON = True
    before = whole_database()
    for reason in ("", "  \n"):
        with pytest.raises(InvalidInput) as refused:
            move(1, STAGING, reason=reason)
        assert refused.value.field == "reason"
    assert whole_database() == before
    move(1, STAGING, reason="Tested.")
    assert version(1).stage == "staging"


# --- Archiving existing versions, and the champion ------------------------------------------------


def test_each_archived_version_has_an_event_of_the_same_operation(move, new_events):
    for number in (1, 2, 3):
        move(number, STAGING)
    for number in (1, 2):
        move(number, PRODUCTION)
    new_events()

    made = move(3, PRODUCTION, archive_existing=True, reason="Better.")

    assert made.archived == (1, 2)
    assert [version(number).stage for number in (1, 2, 3)] == ["archived", "archived", "production"]
    assert counts() == (0, 0, 1, 2)
    *events, alias = new_events()
    assert (alias.action, alias.data) == ("alias.set", {"alias": "champion", "old": 2})
    assert [(e.version.number, e.from_stage, e.to_stage) for e in events] == [
        (1, "production", "archived"),
        (2, "production", "archived"),
        (3, "staging", "production"),
    ]
    assert {str(event.operation) for event in events} == {made.operation_id}
    check = PolicyCheck.objects.get(version=version(3), to_stage=PRODUCTION)
    replaced = {"replaced_by": 3}
    assert [event.data for event in events] == [replaced, replaced, check_reference(check)]
    assert champion() == 3


def test_nothing_else_is_archived_unless_requested(move):
    for number in (1, 2):
        move(number, STAGING)
        move(number, PRODUCTION)
    assert counts() == (1, 0, 2, 0)


def test_archiving_existing_versions_skips_other_models_and_deleted_versions(move, alice):
    actor = Actor(alice, Channel.PAGE)
    register_version(draft=VersionDraft(model="bert"), actor=actor, at=NOON)
    transition_stage(
        name="bert", version=1, intent=TransitionIntent(to_stage=STAGING), actor=actor, at=LATER
    )
    move(1, STAGING)
    delete_version(name="resnet50", version=1, actor=actor, at=LATER)

    assert move(2, STAGING, archive_existing=True).archived == ()
    assert counts() == (1, 1, 0, 0)
    assert ModelVersion.objects.get(model__name="bert").stage == "staging"


def test_archiving_a_version_archives_no_other(move):
    move(1, ARCHIVED)
    assert move(2, ARCHIVED, archive_existing=True).archived == ()
    assert counts() == (1, 0, 0, 2)


def test_a_refused_move_archives_nothing(move, guarded):
    move(1, STAGING)
    guarded(ACCURATE.require_metric("accuracy", Comparison.GT, 0.99), at=LATER)
    with pytest.raises(TransitionRefused):
        move(2, STAGING, archive_existing=True)
    assert version(1).stage == "staging"


def test_the_champion_is_the_version_that_entered_production_last(move):
    for number in (1, 2, 3):
        move(number, STAGING)
    assert champion() is None
    for minutes, number in enumerate((2, 3, 1)):
        move(number, PRODUCTION, at=LATER + timedelta(minutes=minutes))
        assert champion() == number


def test_when_the_champion_leaves_its_predecessor_becomes_champion(move):
    for number in (1, 2, 3):
        move(number, STAGING)
    for minutes, number in enumerate((2, 3, 1)):
        move(number, PRODUCTION, at=LATER + timedelta(minutes=minutes))
    evening = LATER + timedelta(hours=6)
    for leaving, following in ((1, 3), (3, 2), (2, None)):
        move(leaving, ARCHIVED, at=evening)
        assert champion() == following


def test_a_champion_stays_one_while_others_move_even_when_the_clock_stood_still(move):
    for number in (1, 2):
        move(number, STAGING)
    for number in (2, 1):
        move(number, PRODUCTION)
    assert champion() == 1
    move(3, STAGING)
    assert champion() == 1


# --- Time -----------------------------------------------------------------------------------------


def test_no_event_is_earlier_than_the_one_before_it_even_when_the_clock_goes_back(move, new_events):
    move(1, STAGING, at=LATER)
    made = move(1, PRODUCTION, at=NOON - timedelta(days=9))

    first, second, alias = new_events()
    assert first.occurred_at == second.occurred_at == alias.occurred_at == LATER
    assert made.timestamp == version(1).stage_entered_at == LATER
    assert second.recorded_at >= first.recorded_at


# --- Many moves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_after_any_moves_counts_champion_stages_and_revisions_agree_with_the_log(
    seed, move, guarded, settings, alice
):
    dice = random.Random(seed)  # noqa: S311 - reproducible, not secret
    settings.OBEYA_WORKFLOW = dice.choice(["strict", "returns", "open"])
    actor = Actor(alice, Channel.PYTHON)
    guarded(ACCURATE)
    made = 0
    for minutes in range(60):
        at = LATER + timedelta(minutes=minutes - 5 * (dice.random() < 0.1))
        latest = model().last_number
        number = dice.randint(1, latest)
        try:
            match dice.randrange(10):
                case 0:
                    accuracy = {"accuracy": dice.random()}
                    register_version(
                        draft=VersionDraft(model="resnet50", metrics=accuracy), actor=actor, at=at
                    )
                case 1:
                    delete_version(name="resnet50", version=number, actor=actor, at=at)
                case _:
                    move(
                        number,
                        dice.choice(list(Stage)),
                        at=at,
                        archive_existing=dice.random() < 0.3,
                    )
            made += 1
        except RegistryError:
            pass

        alive = list(ModelVersion.objects.filter(model=model(), deleted_at=None))
        recount = Counter(row.stage for row in alive)
        assert counts() == tuple(recount[stage.value] for stage in Stage)
    assert made > 5
    moves = AuditEvent.objects.filter(
        action__in=["model_version.registered", "model_version.stage_transitioned"]
    ).order_by("sequence")
    last = {event.version_id: event for event in moves}
    for row in alive:
        assert row.stage == last[row.pk].to_stage
        assert row.stage_entered_at == last[row.pk].occurred_at
    in_production = [last[row.pk] for row in alive if row.stage == "production"]
    entered_last = max(in_production, key=lambda event: event.sequence, default=None)
    assert champion() == (entered_last.version.number if entered_last else None)
    assert verify_chains().broken == ()
