"""A registry on which every function of the write path was used, and what each table then has."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import CodeType, FrameType
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group, Permission

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditText, RegisteredModel, RunFile, User
from boards.queries.facts.accounts.account_permissions import (
    AccountPermissions,
    account_permissions,
)
from boards.registry.accounts.adoption import adopt_accounts
from boards.registry.accounts.sign_ins import record_link_use
from boards.registry.accounts.tokens import create_token, service_account
from boards.registry.accounts.users import (
    create_sign_in_link,
    record_user_change,
    use_sign_in_link,
)
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.artifacts.run_files import adopt_run_files, delete_run_files, store_run_file
from boards.registry.catalog.metrics import define_metric
from boards.registry.catalog.registration import create_model, register_versions
from boards.registry.database import DatabaseRegistry
from boards.registry.policies.guardrails import set_guardrail
from boards.registry.transfer.imports import import_model
from boards.registry.transitions.checks import record_policy_check
from boards.registry.verification import verify_new_events
from boards.registry.webhooks.endpoints import create_webhook, disable_webhook, rotate_secret
from obeya.aliases.governed import GovernedAlias
from obeya.artifacts.manifest import FileEntry
from obeya.imports import ImportedModel, ImportedVersion
from obeya.metrics import Direction, Metric, MetricDefinition
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.tokens import Scope
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit
from obeya.webhooks.endpoints import Subscription, Target
from scripts.webhook_events import make_everything_happen
from tests.write_path import write_functions

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
LONG_AGO = datetime(2024, 5, 1, 9, tzinfo=UTC)
# They read the log, or send again what was sent: no row changes that the log describes.
NOT_CALLED = {"record_verification", "replay", "replay_failed", "store_piece"}


@contextmanager
def calls_noted() -> Iterator[set[str]]:
    """Note the write functions that are called inside."""
    codes: set[CodeType] = set()

    # For calls only: a profiler would be called for each return and each function of C too.
    def note(frame: FrameType, *_: Any) -> None:
        codes.add(frame.f_code)

    named: set[str] = set()
    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield named
    finally:
        sys.settrace(before)
        named.update(name for name, function in write_functions() if function.__code__ in codes)


def fill_registry() -> None:  # noqa: PLR0915 - one long sequence of calls
    """Use every function of the write path, and leave rows in every table."""
    make_everything_happen()
    hours = iter(range(1, 10_000))

    def now() -> datetime:
        return START + timedelta(hours=next(hours))

    users = {name: User.objects.get(username=name) for name in ("ada", "bob", "grace")}
    ada, bob, grace = (DatabaseRegistry(actor=user, clock=now) for user in users.values())
    admin = Actor(users["ada"], Channel.PAGE)
    act = {"actor": admin}
    _change_accounts(users, admin, now)

    create_model(name="churn", description="Who leaves", tags={"team": "crm"}, **act, at=now())
    metrics = {
        "auc": Metric("auc", 0.91, samples=1000, standard_error=0.01, dataset="holdout"),
        "tiny": 5e-324,
        "huge": 1e300,
    }
    for number in (1, 2, 3, 4, 5):
        ada.register_model(
            "churn",
            None,
            metrics,
            f"s3://churn/{number}",
            label=f"1.{number}.0",
            tags={"family": "trees"},
            description=f"Number {number}",
            source_run=f"run{number}",
        )
    drafts = [VersionDraft("spam"), VersionDraft("spam", version=7, metrics={"f1": 0.5})]
    register_versions(drafts=drafts, **act, at=now())
    ada.set_alias("churn", "best", 3)
    ada.set_alias("churn", "old", 1)
    content = b"\x00weights"
    blob = store_blob(body=io.BytesIO(content), size=len(content), **act, at=now())
    files = [FileEntry("a/weights.bin", blob.sha256), FileEntry("config.json", blob.sha256)]
    set_artifact(name="churn", version=3, files=files, **act, at=now())
    # One of before its events.
    RunFile.objects.create(path="runs/0/a.bin", blob=blob, user=users["bob"], stored_at=now())
    adopt_run_files(actor=SYSTEM, at=now())
    for path in ("runs/1/a.bin", "runs/2/a.bin"):
        content = path.encode()
        body = io.BytesIO(content)
        store_run_file(path=path, body=body, size=len(content), **act, at=now())
    delete_run_files(path="runs/2", **act, at=now())
    define_metric(
        definition=MetricDefinition("auc", Direction.HIGHER, title="AUC", description="Area"),
        **act,
        at=now(),
    )

    ada.set_policy(PromotionPolicy(Stage.STAGING).require_metric("auc", Comparison.GTE, 0.95))
    ada.set_policy(PromotionPolicy(Stage.STAGING).require_metric("auc", Comparison.GTE, 0.9))
    approvals = PromotionPolicy(Stage.PRODUCTION).require_approvals(2)
    for number in (1, 2, 3):
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            ada.transition_stage("churn", number, stage, reason="Go", archive_existing=number != 2)
    ada.set_policy(approvals, "churn")
    ada.rollback("churn", 1, reason="Worse")
    ada.transition_stage("churn", 4, Stage.STAGING)
    record_policy_check(name="churn", version=4, **act, at=now())
    ada.waive("churn", 5, ["auc ≥ 0.9"], reason="A trial", expires_at=now() + timedelta(days=90))
    grace.request_transition("churn", 4, Stage.PRODUCTION, reason="Please", archive_existing=True)
    bob.approve("churn", 4, comment="Fine")
    bob.approve("churn", 4, comment="Still fine")
    set_guardrail(name="churn", guardrail=Guardrail("errors", Comparison.LTE, 0.1), **act, at=now())
    ada.report_live_metric("churn", "errors", 0.5)
    ada.report_live_metric("churn", "errors", 0.6)
    ada.set_wip_limit(WipLimit(Stage.PRODUCTION, 3))
    ada.set_wip_limit(WipLimit(Stage.STAGING, 5, LimitMode.BLOCK), "churn")
    ada.set_governed_alias(GovernedAlias("next", Stage.STAGING))
    ada.set_governed_alias(GovernedAlias("Next", Stage.STAGING), "churn")
    ada.set_governed_alias(GovernedAlias("next", Stage.STAGING), "churn")
    ada.delete_version("churn", 2)
    ada.set_alias("churn", "gone", 5)
    ada.delete_version("churn", 5)
    ada.rename_model("spam", "spam-filter")
    ada.set_description("spam-filter", "Text that will be erased")
    _import_past(admin, now)

    _leave_webhooks(admin, now)
    verify_new_events(actor=admin, at=now())
    erase("spam-filter")


def _change_accounts(users: dict[str, User], admin: Actor, now: Any) -> None:
    """Change accounts as the admin does; leave a token, a link, and an adopted account."""
    bob = users["bob"]
    before = account_permissions(bob)
    bob.username, bob.is_staff = "robert", True
    bob.save()
    bob.groups.add(Group.objects.get(name="contributor"))
    bob.user_permissions.add(Permission.objects.get(codename="waive"))
    fields = ("username", "is_staff", "groups", "user_permissions")
    change = {"user": bob, "made": False, "fields": fields, "before": before}
    record_user_change(**change, actor=admin, at=now())
    made = User.objects.create(username="eve")
    change = {"user": made, "made": True, "fields": ("username",), "before": AccountPermissions()}
    record_user_change(**change, actor=admin, at=now())
    service_account(username="ci", scopes=[Scope.READ, Scope.PROMOTE], actor=admin, at=now())
    create_token(
        user=users["ada"],
        name="Deploys",
        scopes=["read", "write"],
        model_globs=["churn*"],
        actor=admin,
        at=now(),
    )
    create_sign_in_link(user=bob, actor=admin, at=datetime.now(UTC))
    used = create_sign_in_link(user=users["grace"], actor=SYSTEM, at=datetime.now(UTC))
    assert use_sign_in_link(token=used, at=datetime.now(UTC)) == users["grace"]
    record_link_use(user=users["grace"], token=used, address="192.0.2.7", at=datetime.now(UTC))
    User.objects.create(username="console", is_superuser=True)
    assert adopt_accounts(actor=SYSTEM, at=now()) == ["console"]


def _import_past(admin: Actor, now: Any) -> None:
    versions = tuple(
        ImportedVersion(
            number,
            stage,
            created_at=LONG_AGO + timedelta(days=number),
            updated_at=LONG_AGO + timedelta(days=number, hours=3),
            artifact_path=f"s3://past/{number}",
            metrics={"auc": number / 10},
            tags={"from": "mlflow"},
            aliases=(f"alias{number}",),
        )
        for number, stage in ((3, Stage.ARCHIVED), (4, Stage.PRODUCTION), (6, Stage.DEVELOPMENT))
    )
    imported = ImportedModel(
        name="past",
        origin="https://mlflow.example.org",
        created_at=LONG_AGO,
        description="From elsewhere",
        tags={"team": "risk"},
        versions=versions,
    )
    import_model(imported=imported, actor=admin, at=now())


def _leave_webhooks(admin: Actor, now: Any) -> None:
    """Leave an endpoint with two valid secrets, and one that is disabled."""
    uids: list[UUID] = []
    for name in ("Chat", "Old chat"):
        row, _ = create_webhook(
            name=name,
            target=Target.SLACK,
            address=f"https://hooks.example.org/{name[0]}/secret",
            subscription=Subscription(models=("churn",), stages=(Stage.PRODUCTION,)),
            actor=admin,
            at=now(),
        )
        uids.append(row.uid)
    rotate_secret(uid=uids[0], actor=admin, at=now())
    disable_webhook(uid=uids[1], reason="Moved", actor=admin, at=now())


def erase(model: str) -> None:
    """Erase the description of a model, in the log and in its row."""
    AuditText.objects.filter(event__model__name=model, role="description").delete()
    RegisteredModel.objects.filter(name=model).update(description="")
