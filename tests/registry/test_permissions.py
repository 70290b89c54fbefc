"""Permissions: every function of the write path, called by a member of every group."""

from __future__ import annotations

import dataclasses
import inspect
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import GROUPS
from boards.models import AuditEvent, Blob, RunFile, User
from boards.registry.catalog.labels import set_alias
from boards.registry.catalog.registration import register_version
from boards.registry.policies.governed_aliases import set_governed_alias
from boards.registry.policies.guardrails import set_guardrail
from boards.registry.policies.limits import set_wip_limit
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.requests import request_transition
from boards.registry.transitions.transitions import transition_stage
from obeya.aliases.governed import GovernedAlias
from obeya.errors import NotAllowed
from obeya.imports import ImportedModel
from obeya.metrics import MetricDefinition
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import Mode
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.tokens import Scope
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import Decision
from obeya.webhooks.endpoints import Subscription, Target
from tests.write_path import write_functions

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)

REGISTERERS = {"contributor", "promoter", "administrator"}
PROMOTERS = {"promoter", "administrator"}
ADMINISTRATORS = {"administrator"}
APPROVERS = {"approver", "administrator"}
EVERY_GROUP = {"viewer", "contributor", "promoter", "approver", "administrator"}

WAIVER = {
    "requirements": ["f1 > 1"],
    "reason": "x",
    "expires_at": NOON + timedelta(days=9),
    "to_stage": Stage.PRODUCTION,
}
WEBHOOK = {"name": "ci", "address": "https://ci.example.org/hook", "subscription": Subscription()}


def move(version, to_stage):
    return {"version": version, "intent": TransitionIntent(to_stage=to_stage)}


# Function, arguments, permitted groups. v1 is in Development with a request for Staging, v2 is in
# Staging, v3 in Production, v4 was in Production.
CALLS = [
    ("register_version", {"draft": VersionDraft("bert")}, REGISTERERS),
    ("create_model", {"name": "bert"}, REGISTERERS),
    ("import_model", {"imported": ImportedModel("bert", "", NOON)}, ADMINISTRATORS),
    ("log_metrics", {"version": 1, "metrics": {"f1": 0.5}}, REGISTERERS),
    ("set_description", {"text": "x"}, REGISTERERS),
    ("set_description", {"text": "x", "version": 1}, REGISTERERS),
    ("set_tag", {"key": "k", "value": "v"}, REGISTERERS),
    ("set_tag", {"key": "k", "value": "v", "version": 1}, REGISTERERS),
    ("delete_tag", {"key": "tag", "version": 1}, REGISTERERS),
    ("set_alias", {"alias": "new", "version": 1}, REGISTERERS),
    ("delete_alias", {"alias": "old"}, REGISTERERS),
    (
        "transition_stage",
        move(1, Stage.STAGING),
        REGISTERERS,
    ),
    (
        "transition_stage",
        move(1, Stage.ARCHIVED),
        REGISTERERS,
    ),
    (
        "transition_stage",
        move(2, Stage.PRODUCTION),
        PROMOTERS,
    ),
    (
        "transition_stage",
        move(3, Stage.ARCHIVED),
        PROMOTERS,
    ),
    ("record_policy_check", {"version": 1}, EVERY_GROUP - {"viewer"}),
    ("set_policy", {"policy": PromotionPolicy(Stage.STAGING)}, ADMINISTRATORS),
    ("set_policy", {"policy": PromotionPolicy(Stage.STAGING), "name": None}, ADMINISTRATORS),
    ("remove_policy", {"stage": Stage.PRODUCTION}, ADMINISTRATORS),
    ("define_metric", {"definition": MetricDefinition("f1")}, ADMINISTRATORS),
    ("rename_model", {"new_name": "resnet"}, ADMINISTRATORS),
    ("configure_model", {"workflow": "open"}, ADMINISTRATORS),
    ("delete_version", {"version": 1}, ADMINISTRATORS),
    ("delete_model", {}, ADMINISTRATORS),
    ("request_transition", {"version": 2, "intent": TransitionIntent(to_stage=None)}, REGISTERERS),
    ("review", {"version": 1, "decision": Decision.APPROVE}, APPROVERS),
    ("review", {"version": 1, "decision": Decision.REJECT, "comment": "x"}, APPROVERS),
    ("waive", {"version": 1, **WAIVER}, APPROVERS),
    ("rollback", {"to_version": 4, "reason": "x"}, PROMOTERS),
    ("set_guardrail", {"guardrail": Guardrail("f1", Comparison.GTE, 1)}, ADMINISTRATORS),
    ("remove_guardrail", {"metric": "errors"}, ADMINISTRATORS),
    ("report_live_metric", {"metric": "errors", "value": 1}, REGISTERERS),
    ("set_wip_limit", {"limit": WipLimit(Stage.STAGING, 3)}, ADMINISTRATORS),
    ("set_wip_limit", {"limit": WipLimit(Stage.STAGING, 3), "name": None}, ADMINISTRATORS),
    ("remove_wip_limit", {"stage": Stage.PRODUCTION}, ADMINISTRATORS),
    ("set_governed_alias", {"governed": GovernedAlias("stable")}, ADMINISTRATORS),
    ("set_governed_alias", {"governed": GovernedAlias("stable"), "name": None}, ADMINISTRATORS),
    ("remove_governed_alias", {"alias": "next"}, ADMINISTRATORS),
    ("register_versions", {"drafts": [VersionDraft("bert")]}, REGISTERERS),
    ("service_account", {"username": "ci", "scopes": [Scope.READ]}, ADMINISTRATORS),
    ("create_user", {"username": "dora", "group": "viewer"}, ADMINISTRATORS),
    ("adopt_accounts", {}, ADMINISTRATORS),
    ("adopt_run_files", {}, ADMINISTRATORS),
    ("create_webhook", WEBHOOK | {"target": Target.WEBHOOK}, ADMINISTRATORS),
]
# The first records a change that Django's admin has already permitted, the second what the caller
# was permitted to download. The third is called by the worker and by the command on the server's
# machine.
WITHOUT_PERMISSION = {"record_user_change", "record_download", "inspect_version"}
# They write no event: they store the result of a verification.
ABOUT_THE_LOG = {"record_verification", "verify_new_events"}
# They require more than a permission: the requester, the waiver, the owner of the account or token,
# or the account that uploaded the content.
TESTED_ELSEWHERE = {
    "change_webhook",
    "disable_webhook",
    "enable_webhook",
    "remove_webhook",
    "replay",
    "replay_failed",
    "rotate_secret",
    "send_test",
    "delete_run_files",
    "create_sign_in_link",
    "create_token",
    "revoke_token",
    "revoke_waiver",
    "set_artifact",
    "set_password",
    "store_blob",
    "store_piece",
    "store_run_file",
    "withdraw",
}


def names_of_calls():
    return [f"{name} {'-'.join(map(str, arguments))}" for name, arguments, _ in CALLS]


@pytest.fixture(autouse=True)
def resnet50(db):
    """Register versions in four stages, a policy and a guardrail, and rows of other tables."""
    path = (Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED)
    for number in (1, 2, 3, 4):
        register_version(
            draft=VersionDraft(model="resnet50", tags={"tag": "x"}), actor=SYSTEM, at=NOON
        )
        for stage in path[: number - 1]:
            transition_stage(
                name="resnet50",
                version=number,
                intent=TransitionIntent(to_stage=stage),
                actor=SYSTEM,
                at=NOON,
            )
    asker = User.objects.create(username="asker", is_superuser=True)
    request_transition(
        name="resnet50",
        version=1,
        intent=TransitionIntent(),
        actor=Actor(asker, Channel.PAGE),
        at=NOON,
    )
    rule = {"name": "resnet50", "actor": SYSTEM, "at": NOON}
    set_guardrail(guardrail=Guardrail("errors", Comparison.LTE, 0), **rule)
    set_wip_limit(limit=WipLimit(Stage.PRODUCTION, 9), **rule)
    policy = PromotionPolicy(Stage.PRODUCTION).require_metric("f1", Comparison.GT, 1)
    set_policy(policy=dataclasses.replace(policy, mode=Mode.WARN), **rule)
    set_governed_alias(governed=GovernedAlias("next", Stage.STAGING), **rule)
    set_alias(name="resnet50", alias="old", version=2, actor=SYSTEM, at=NOON)
    blob = Blob.objects.create(sha256="0" * 64, size=0, created_at=NOON, sent_at=NOON)
    RunFile.objects.create(path="r/a", blob=blob, stored_at=NOON)


def attempt(name, arguments, user):
    function = dict(write_functions())[name]
    if "name" in inspect.signature(function).parameters:
        arguments = {"name": "resnet50", **arguments}
    return function(**arguments, actor=Actor(user, Channel.PAGE), at=NOON + timedelta(hours=1))


def member_of(group):
    user = User.objects.create(username=f"a {group}")
    user.groups.add(Group.objects.get(name=group))
    return user


def test_every_function_of_the_write_path_is_in_the_table():
    functions = {name for name, _ in write_functions()}
    elsewhere = WITHOUT_PERMISSION | TESTED_ELSEWHERE | ABOUT_THE_LOG
    assert functions - elsewhere == {name for name, _, _ in CALLS}


def test_the_groups_are_those_of_the_table():
    assert set(GROUPS) == EVERY_GROUP


@contextmanager
def rolled_back():
    """Roll back everything that the block changes."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize(("name", "arguments", "allowed"), CALLS, ids=names_of_calls())
def test_only_the_groups_with_the_permission_can_do_it_and_the_registry_itself(
    name, arguments, allowed, new_events, whole_database
):
    members = {group: member_of(group) for group in sorted(EVERY_GROUP)}
    stranger = User.objects.create(username="stranger")
    former = User.objects.create(username="former", is_superuser=True, is_active=False)
    former.groups.add(Group.objects.get(name="administrator"))
    before = whole_database()

    for group in EVERY_GROUP - allowed:
        with pytest.raises(NotAllowed, match=f"^a {group} does not have permission to "):
            attempt(name, arguments, members[group])
    for user in (stranger, former):
        with pytest.raises(NotAllowed):
            attempt(name, arguments, user)
    assert whole_database() == before

    for group in allowed:
        with rolled_back():
            attempt(name, arguments, members[group])
            assert AuditEvent.objects.latest("pk").actor == members[group]
    assert whole_database() == before

    attempt(name, arguments, None)
    assert new_events()[-1].actor is None
