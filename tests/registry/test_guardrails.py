"""Guardrails: live values, alerts raised once and cleared, and automatic rollback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.models import ModelVersion
from boards.registry.catalog.catalog import delete_model, delete_version
from boards.registry.catalog.registration import register_version
from boards.registry.policies.guardrails import remove_guardrail, report_live_metric, set_guardrail
from boards.registry.transitions.rollback import rollback
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput, NotAllowed, NotFound
from obeya.policy.bounds import Comparison
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.intent import TransitionIntent

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
RAIL = Guardrail("error_rate", Comparison.LTE, 0.02)
AUTO = Guardrail("error_rate", Comparison.LTE, 0.02, auto_rollback=True)


def promote(*, archive=True):
    number = register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON).number
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        transition_stage(
            name="resnet50",
            version=number,
            intent=TransitionIntent(
                to_stage=stage, archive_existing=archive and stage is Stage.PRODUCTION
            ),
            actor=SYSTEM,
            at=NOON,
        )
    return number


def guard(guardrail=RAIL, by=SYSTEM):
    set_guardrail(name="resnet50", guardrail=guardrail, actor=by, at=NOON)


def report(value, version=None, *, metric="error_rate", by=SYSTEM):
    return report_live_metric(
        name="resnet50", metric=metric, value=value, version=version, actor=by, at=LATER
    )


def raised():
    return list(models.Andon.objects.filter(cleared_at=None))


def actions(events):
    return [event.action for event in events]


def test_a_value_within_the_limit_is_stored_without_an_alert(new_events):
    promote()
    guard()
    new_events()
    came = report(0.01)
    assert (came.version, came.breached, came.sentence) == (
        1,
        False,
        "v1: live error_rate is 0.01.",
    )
    report(0.015)
    assert models.LiveValue.objects.get().value == 0.015
    assert raised() == []
    assert new_events() == []


def test_a_breach_raises_one_alert_and_a_value_within_the_limit_clears_it(new_events):
    promote()
    guard()
    new_events()

    came = report(0.05)
    assert came.sentence == "v1: live error_rate is 0.05; required: ≤ 0.02."
    report(0.07)
    (andon,) = raised()
    assert (andon.value, andon.bound, andon.raised_at) == (0.07, 0.02, LATER)
    (event,) = new_events()
    assert event.action == "andon.raised"
    assert event.data["value"] == 0.05

    report(0.02)
    assert raised() == []
    assert actions(new_events()) == ["andon.cleared"]
    report(0.02)
    assert new_events() == []


def test_replacing_a_guardrail_clears_its_alert():
    promote()
    guard()
    report(0.05)
    guard(Guardrail("error_rate", Comparison.LT, 0.04))
    assert raised() == []
    report(0.06)
    (andon,) = raised()
    assert (andon.comparison, andon.bound, andon.value) == ("<", 0.04, 0.06)
    report(0.03)
    assert raised() == []


def test_a_metric_without_a_guardrail_is_only_stored(new_events):
    promote()
    new_events()
    came = report(9.0, metric="latency_ms")
    assert came.guardrail is None
    assert not came.breached
    assert models.LiveValue.objects.get().metric == "latency_ms"
    assert new_events() == []


def test_each_version_in_production_has_its_own_values_and_alert():
    promote()
    promote(archive=False)
    guard()
    assert report(0.5).version == 2
    report(0.01, 1)
    (andon,) = raised()
    assert andon.version.number == 2


@pytest.mark.parametrize("way", ["archived", "rolled back", "deleted", "model", "removed"])
def test_an_alert_is_cleared_with_its_cause(way, new_events):
    promote()
    promote()
    guard()
    report(0.5)
    new_events()
    act = {"name": "resnet50", "actor": SYSTEM, "at": LATER}
    if way == "archived":
        transition_stage(version=2, intent=TransitionIntent(to_stage=Stage.ARCHIVED), **act)
    elif way == "rolled back":
        rollback(reason="errors", **act)
    elif way == "deleted":
        delete_version(version=2, **act)
    elif way == "model":
        delete_model(**act)
    else:
        remove_guardrail(metric="error_rate", **act)
    assert raised() == []
    assert actions(new_events()).count("andon.cleared") == 1


def test_a_guardrail_that_rolls_back_does_so_once_and_as_the_guardrail(alice, new_events):
    promote()
    promote()
    guard(AUTO)
    new_events()

    came = report(0.05, by=Actor(alice, Channel.PYTHON))

    assert came.rolled_back_to == 1
    assert ModelVersion.objects.get(number=1).stage == "production"
    assert ModelVersion.objects.get(number=2).stage == "archived"
    assert raised() == []
    said = [(event.action, event.channel, event.actor) for event in new_events()]
    assert said == [
        ("andon.raised", "python", alice),
        ("model_version.rolled_back", "guardrail", None),
        ("andon.cleared", "guardrail", None),
        ("model_version.rolled_back", "guardrail", None),
        ("alias.set", "guardrail", None),
    ]
    reason = models.AuditText.objects.get(role="reason", event__to_stage="production")
    assert reason.text == "v2: live error_rate is 0.05; required: ≤ 0.02."


def test_a_value_that_can_roll_back_requires_the_promote_permission(carol, new_events):
    promote()
    promote()
    guard(AUTO)
    new_events()
    with pytest.raises(NotAllowed, match="Production"):
        report(0.05, by=Actor(carol, Channel.PYTHON))
    assert new_events() == []
    assert not models.LiveValue.objects.exists()


def test_disarming_a_guardrail_requires_the_promote_permission(new_events):
    promote()
    guard(AUTO)
    policy_editor = models.User.objects.create(username="pat")
    policy_editor.user_permissions.add(Permission.objects.get(codename="edit_policy"))
    new_events()
    pat = Actor(policy_editor, Channel.PYTHON)
    with pytest.raises(NotAllowed, match="Production"):
        guard(RAIL, by=pat)
    with pytest.raises(NotAllowed, match="Production"):
        remove_guardrail(name="resnet50", metric="error_rate", actor=pat, at=NOON)
    assert new_events() == []


def test_with_two_versions_in_production_a_breach_only_alerts():
    promote()
    promote(archive=False)
    guard(AUTO)
    came = report(0.05, version=2)
    assert came.breached
    assert came.rolled_back_to is None
    assert ModelVersion.objects.filter(stage="production").count() == 2
    assert len(raised()) == 1


def test_a_guardrail_changed_to_roll_back_does_so_at_the_next_breach():
    promote()
    promote()
    guard()
    report(0.05)
    guard(AUTO)
    assert report(0.05).rolled_back_to == 1


def test_without_a_rollback_target_the_alert_remains():
    promote()
    guard(AUTO)
    came = report(0.05)
    assert came.rolled_back_to is None
    assert len(raised()) == 1
    assert ModelVersion.objects.get().stage == "production"


def test_two_breaches_roll_back_two_steps_and_never_to_a_failed_version():
    for _ in range(3):
        promote()
    guard(AUTO)
    assert report(0.05).rolled_back_to == 2
    assert report(0.05).rolled_back_to == 1
    assert report(0.05).rolled_back_to is None
    assert ModelVersion.objects.get(stage="production").number == 1


@pytest.mark.parametrize(
    ("version", "said"), [(1, "is not in Production"), (None, "has no version in Production")]
)
def test_live_values_are_accepted_only_in_production(version, said, whole_database):
    register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON)
    before = whole_database()
    with pytest.raises(InvalidInput, match=said):
        report(0.05, version)
    assert whole_database() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.1", None, True])
def test_a_value_that_is_not_finite_is_refused(value):
    promote()
    with pytest.raises(InvalidInput):
        report(value)
    assert not models.LiveValue.objects.exists()


def test_setting_changing_and_removing_a_guardrail(new_events):
    register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON)
    new_events()
    guard()
    guard()
    guard(AUTO)
    remove_guardrail(name="resnet50", metric="error_rate", actor=SYSTEM, at=NOON)
    assert actions(new_events()) == ["guardrail.set", "guardrail.set", "guardrail.removed"]
    with pytest.raises(NotFound, match="no guardrail"):
        remove_guardrail(name="resnet50", metric="error_rate", actor=SYSTEM, at=NOON)


@pytest.mark.parametrize("who", ["victor", "carol", "peter", "anna"])
def test_setting_guardrails_requires_the_policy_permission(who, request, whole_database):
    register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON)
    guard()
    by = Actor(request.getfixturevalue(who), Channel.PAGE)
    before = whole_database()
    with pytest.raises(NotAllowed):
        guard(Guardrail("f1", Comparison.GTE, 1), by)
    with pytest.raises(NotAllowed):
        remove_guardrail(name="resnet50", metric="error_rate", actor=by, at=NOON)
    assert whole_database() == before


def test_an_automatic_rollback_also_requires_the_promote_permission(victor):
    register_version(draft=VersionDraft(model="resnet50"), actor=SYSTEM, at=NOON)
    permission = models.User._meta.get_field("user_permissions").related_model
    victor.user_permissions.add(permission.objects.get(codename="edit_policy"))
    by = Actor(models.User.objects.get(pk=victor.pk), Channel.PAGE)
    guard(by=by)
    with pytest.raises(NotAllowed, match="Production"):
        guard(AUTO, by)
    assert not models.Guardrail.objects.get().auto_rollback


def test_a_viewer_cannot_report_values(victor, whole_database):
    promote()
    before = whole_database()
    with pytest.raises(NotAllowed):
        report(0.5, by=Actor(victor, Channel.PAGE))
    assert whole_database() == before
