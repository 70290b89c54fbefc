#!/usr/bin/env python3
"""Write docs/webhook-events.md: an example message of every event type.

    python scripts/webhook_events.py

Creates one event of each type in a temporary registry, which has an endpoint that is subscribed to
all events.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "webhook-events.md"
HEAD = """\
# Webhook events

An example message of every event type. [Webhooks](webhooks.md) describes the members.
`make webhook-events` generates this page from the code.
"""


def main() -> None:
    """Create every event and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OBEYA_DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "registry_site.settings"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        OUTPUT.write_text(page_of(messages()), encoding="utf-8")


def page_of(found: dict[str, Any]) -> str:
    """Return the page: a heading and a block for each type, sorted."""
    parts = [HEAD]
    for kind in sorted(found):
        block = json.dumps(found[kind], ensure_ascii=False, indent=2)
        parts.append(f"## {kind}\n\n```json\n{block}\n```\n")
    return "\n".join(parts)


def messages() -> dict[str, Any]:
    """Return the first message of every type."""
    from boards.models import WebhookMessage

    make_everything_happen()
    found: dict[str, Any] = {}
    for message in WebhookMessage.objects.order_by("pk"):
        found.setdefault(message.type, json.loads(message.body))
    return found


def make_everything_happen() -> None:  # noqa: PLR0915 - one long sequence of calls
    """Trigger one event of each action, through the functions of the write path."""
    from django.contrib.auth.models import Group
    from django.contrib.auth.models import Permission as PermissionRow

    from boards.access.actors import SYSTEM, Actor
    from boards.models import ModelVersion, User, Waiver
    from boards.registry.accounts.adoption import adopt_accounts
    from boards.registry.accounts.sign_ins import (
        WINDOW,
        end_failed_sign_ins,
        record_failed_sign_in,
        record_link_use,
        record_sign_in,
    )
    from boards.registry.accounts.token_addresses import record_token_use
    from boards.registry.accounts.tokens import create_token, revoke_token
    from boards.registry.accounts.users import create_sign_in_link, create_user, set_password
    from boards.registry.artifacts.artifacts import set_artifact, store_blob
    from boards.registry.artifacts.download_events import record_download
    from boards.registry.artifacts.inspection import (
        forget_inspections,
        inspect_version,
        outdated_versions,
    )
    from boards.registry.artifacts.run_files import (
        adopt_run_files,
        delete_run_files,
        store_run_file,
    )
    from boards.registry.catalog.catalog import configure_model
    from boards.registry.catalog.metrics import define_metric
    from boards.registry.database import DatabaseRegistry
    from boards.registry.policies.guardrails import remove_guardrail
    from boards.registry.policies.limits import remove_wip_limit, set_wip_limit
    from boards.registry.policies.policies import remove_policy
    from boards.registry.policies.waivers import revoke_waiver
    from boards.registry.transitions.checks import record_policy_check
    from boards.registry.webhooks.deliveries import publish_heads
    from boards.registry.webhooks.endpoints import (
        change_webhook,
        create_webhook,
        disable_webhook,
        enable_webhook,
        remove_webhook,
        rotate_secret,
        send_test,
    )
    from obeya import PromotionPolicy, Stage
    from obeya.aliases.governed import AliasMode, GovernedAlias
    from obeya.artifacts.manifest import FileEntry
    from obeya.artifacts.records import ArtifactFile
    from obeya.metrics import Direction, MetricDefinition
    from obeya.policy.bounds import Comparison
    from obeya.records import Channel
    from obeya.refusals import TransitionRefused
    from obeya.transitions.guardrails import Guardrail
    from obeya.transitions.limits import LimitMode, WipLimit
    from obeya.webhooks.endpoints import HEADS, TYPES, Subscription, Target

    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    hours = iter(range(1, 10_000))

    def now() -> datetime:
        return start + timedelta(hours=next(hours))

    def person(name: str, group: str) -> User:
        return create_user(username=name, group=group, actor=SYSTEM, at=now())

    hook, _ = create_webhook(
        name="Deploy service",
        target=Target.WEBHOOK,
        address="https://ci.example.org/hook",
        subscription=Subscription((*TYPES, HEADS)),
        actor=SYSTEM,
        at=now(),
    )
    users = {
        "ada": person("ada", "administrator"),
        "bob": person("bob", "approver"),
        "grace": person("grace", "promoter"),
    }
    ada, bob, grace = (DatabaseRegistry(actor=user, clock=now) for user in users.values())
    admin = Actor(users["ada"], Channel.PAGE)
    name = "resnet50"

    ada.register_model(
        name, None, {"accuracy": 0.91}, "s3://models/resnet50/1", description="First"
    )
    ada.register_model(name, None, {"accuracy": 0.93})
    ada.log_metrics(name, 1, {"accuracy": 0.92})
    ada.set_description(name, "Classifies pictures")
    ada.set_description(name, "Trained longer", version=2)
    for version in (None, 2):
        ada.set_tag(name, "family", "resnet", version=version)
        ada.delete_tag(name, "family", version=version)
    ada.set_alias(name, "best", 2)
    ada.delete_alias(name, "best")
    ada.set_governed_alias(GovernedAlias("stable", mode=AliasMode.GUARDED), name)
    ada.remove_governed_alias("stable", name)
    configure_model(name=name, headline_metrics=("accuracy",), actor=admin, at=now())
    content = b"\x00weights"
    blob = store_blob(body=io.BytesIO(content), size=len(content), actor=admin, at=now())
    files = [FileEntry("weights.bin", blob.sha256)]
    set_artifact(name=name, version=2, files=files, actor=admin, at=now())
    sent: dict[str, Any] = {"size": len(content), "actor": admin}
    stored = ModelVersion.objects.select_related("model").get(number=2)
    file = ArtifactFile("weights.bin", len(content), blob.sha256)
    record_download(file=file, version=stored, at=now(), **sent)
    run_file = ArtifactFile("1/2f6e/artifacts/plot.png", len(content), blob.sha256)
    record_download(file=run_file, version=None, at=now(), **sent)
    # As if an earlier version of Obeya had inspected them, and found nothing.
    ModelVersion.objects.update(artifact_warnings=[])
    forget_inspections()
    for pk in outdated_versions():
        inspect_version(pk=pk, actor=SYSTEM, at=now())
    accuracy = MetricDefinition("accuracy", Direction.HIGHER)
    define_metric(definition=accuracy, actor=admin, at=now())

    for version in (1, 2):
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            ada.transition_stage(name, version, stage, reason="Better", archive_existing=True)
    ada.rollback(name, reason="Slower than before")
    policy = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.95)
    ada.set_policy(policy)
    third = ada.register_model(name, None, {"accuracy": 0.94}).version
    ada.transition_stage(name, third, Stage.STAGING)
    with suppress(TransitionRefused):
        ada.transition_stage(name, third, Stage.PRODUCTION)
    record_policy_check(name=name, version=third, actor=admin, at=now())
    ada.waive(
        name,
        third,
        ["accuracy ≥ 0.95"],
        to_stage=Stage.PRODUCTION,
        reason="The test set changed",
        expires_at=now() + timedelta(days=90),
    )
    waiver = Waiver.objects.get()
    revoke_waiver(uid=waiver.uid, reason="Settled", actor=admin, at=now())

    ada.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(1))
    grace.request_transition(name, third, Stage.PRODUCTION, reason="Ready")
    grace.withdraw(name, third)
    grace.request_transition(name, third, Stage.PRODUCTION, reason="Ready")
    bob.reject(name, third, comment="Not before the holidays")
    grace.request_transition(name, third, Stage.PRODUCTION, reason="Ready")
    bob.approve(name, third, comment="Looks right")
    grace.transition_stage(name, third, Stage.PRODUCTION, archive_existing=True)
    fourth = ada.register_model(name, None, {"accuracy": 0.95}).version
    ada.transition_stage(name, fourth, Stage.STAGING)
    grace.request_transition(name, fourth, Stage.PRODUCTION, reason="Ready")
    for _ in range(24 * 20):
        next(hours)
    grace.request_transition(name, fourth, Stage.PRODUCTION, reason="Still ready")
    remove_policy(stage=Stage.PRODUCTION, name=None, actor=admin, at=now())

    ada.set_guardrail(name, Guardrail("error_rate", Comparison.LTE, 0.02))
    ada.report_live_metric(name, "error_rate", 0.05)
    ada.report_live_metric(name, "error_rate", 0.01)
    remove_guardrail(name=name, metric="error_rate", actor=admin, at=now())
    limit = WipLimit(Stage.STAGING, 3, LimitMode.BLOCK)
    set_wip_limit(limit=limit, name=name, actor=admin, at=now())
    remove_wip_limit(stage=Stage.STAGING, name=name, actor=admin, at=now())
    ada.delete_version(name, 1)
    ada.rename_model(name, "resnet50-a1")
    ada.delete_model("resnet50-a1")

    # As someone would in Django's shell, without events.
    User.objects.create(username="shell", is_superuser=True)
    group = Group.objects.get(name="approver")
    group.permissions.add(PermissionRow.objects.get(codename="register"))
    adopt_accounts(actor=SYSTEM, at=now())

    token, _ = create_token(
        user=users["ada"], name="Nightly", scopes=["read"], actor=admin, at=now()
    )
    address = "192.0.2.7"
    record_token_use(token=token, address=address, channel=Channel.API, at=now())
    revoke_token(uid=token.uid, actor=admin, at=now())
    link = create_sign_in_link(user=users["bob"], actor=admin, at=now())
    record_link_use(user=users["bob"], token=link, address=address, at=now())
    record_sign_in(user=users["bob"], address=address, at=now())
    failed_at = now()
    for _ in range(3):
        record_failed_sign_in(username="ada", address=address, at=failed_at)
    end_failed_sign_ins(at=failed_at + WINDOW)
    set_password(user=users["bob"], password="a long enough one", actor=SYSTEM, at=now())  # noqa: S106

    told: dict[str, Any] = {"uid": hook.uid, "actor": admin}
    change_webhook(
        **told,
        name="Deploys",
        address=hook.address,
        subscription=Subscription((*TYPES, HEADS)),
        at=now(),
    )
    rotate_secret(**told, at=now())
    second, _ = create_webhook(
        name="Old dashboard",
        target=Target.WEBHOOK,
        address="https://old.example.org/hook",
        subscription=Subscription(),
        actor=SYSTEM,
        at=now(),
    )
    told["uid"] = second.uid
    disable_webhook(**told, reason="Rebuilt", at=now())
    enable_webhook(**told, at=now())
    remove_webhook(**told, at=now())
    send_test(uid=hook.uid, actor=admin, at=now())
    publish_heads(at=now())
    store_run_file(path="1/r/plot.png", body=io.BytesIO(b"PNG"), size=3, actor=admin, at=now())
    adopt_run_files(actor=SYSTEM, at=now())
    delete_run_files(path="1/r", actor=admin, at=now())


if __name__ == "__main__":
    main()
