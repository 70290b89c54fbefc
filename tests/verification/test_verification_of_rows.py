"""What is compared when the log itself is damaged or changes, and installations without events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from click.testing import CliRunner
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, AuditText, RegisteredModel, RunFile, User
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.adoption import adopt_after_upgrade
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import store_blob
from boards.registry.artifacts.run_files import (
    ADOPTED_AT_ONCE,
    adopt_files_after_upgrade,
    delete_run_files,
)
from boards.registry.database import DatabaseRegistry
from obeya.audit.chain import event_hash
from obeya.stages import Stage
from registry_site.cli.user import user as user_commands
from tests.append_only import drop_triggers
from tests.unreadable_texts import UNREADABLE, WRONG_DATA, with_member

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def registry() -> DatabaseRegistry:
    """Register a model with a version in Staging."""
    registry = DatabaseRegistry(actor=None)
    registry.register_model("churn", metrics={"auc": 0.9}, tags={"family": "trees"})
    registry.transition_stage("churn", 1, Stage.STAGING, reason="Good")
    return registry


@pytest.fixture
def _without_triggers(registry: DatabaseRegistry) -> None:
    """Drop the log's triggers, as the owner of the database could."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    drop_triggers(connection)


def rows() -> tuple[str, ...]:
    return verify_chains().rows


@pytest.mark.usefixtures("_without_triggers")
@pytest.mark.parametrize("how", UNREADABLE)
def test_a_chain_with_an_unreadable_event_is_broken_and_not_compared(how: str) -> None:
    row = AuditEvent.objects.get(sequence=2)
    text = UNREADABLE[how](row.canonical_text)
    AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text)
    report = verify_chains()
    assert len(report.broken) == 1
    assert report.rows == ()


@pytest.mark.usefixtures("_without_triggers")
@pytest.mark.parametrize("data", WRONG_DATA.values(), ids=WRONG_DATA)
def test_an_event_with_data_of_wrong_types_disagrees_with_the_rows(data: str) -> None:
    for row in AuditEvent.objects.exclude(version=None):
        text = with_member(row.canonical_text, "data", data)
        AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text)
    report = verify_chains()
    assert report.broken
    assert report.rows
    assert all(sentence.isprintable() for sentence in report.rows)


@pytest.mark.usefixtures("_without_triggers")
def test_an_action_of_a_later_version_is_reported() -> None:
    row = AuditEvent.objects.get(sequence=3)
    text = with_member(row.canonical_text, "action", '"future.action"')
    AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text, hash=event_hash(text))
    RegisteredModel.objects.update(chain_hash=event_hash(text))
    assert "churn: event 3 (future.action) does not fit the events before it." in rows()


def test_a_text_that_was_erased_is_counted_and_no_difference(registry: DatabaseRegistry) -> None:
    registry.set_description("churn", "Names a person")
    RegisteredModel.objects.update(description="")
    assert rows() == ("churn: description was changed: the log has another digest (event 4).",)
    AuditText.objects.filter(role="description").delete()
    report = verify_chains()
    assert (report.rows, report.erased) == ((), 1)


def test_an_account_that_django_creates_has_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery staple")
    options = {"username": "root", "email": "root@example.org", "interactive": False}
    call_command("createsuperuser", verbosity=0, **options)
    User.objects.create_user("plain")
    assert rows() == ()
    made = AuditEvent.objects.order_by("sequence").first()
    assert made is not None
    assert (made.action, made.channel, made.data["is_superuser"]) == ("user.created", "cli", True)


def test_what_the_admin_changes_has_events(client: Client) -> None:
    root = create_user(username="root", group="administrator", actor=SYSTEM, at=timezone.now())
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    added = {"username": "dora", "usable_password": "false"}
    assert client.post("/admin/boards/user/add/", added).status_code == 302
    dora = User.objects.get(username="dora")
    changed = {
        "username": "theodora",
        "is_active": "on",
        "is_superuser": "on",
        "groups": [Group.objects.get(name="viewer").pk],
        "user_permissions": [Permission.objects.get(codename="waive").pk],
    }
    assert client.post(f"/admin/boards/user/{dora.pk}/change/", changed).status_code == 302
    dora.refresh_from_db()
    assert (dora.username, dora.is_superuser, dora.groups.count()) == ("theodora", True, 1)
    assert rows() == ()


def upgrade_plan(name: str) -> list[Any]:
    loader = MigrationLoader(None)
    return [(loader.get_migration("boards", name), False)]


def test_an_upgrade_records_the_accounts_and_groups_without_events_once() -> None:
    registered = create_user(username="ada", group="viewer", actor=SYSTEM, at=timezone.now())
    User.objects.filter(pk=registered.pk).update(is_staff=True)
    shell = User.objects.create(username="shell", is_superuser=True)
    shell.groups.add(Group.objects.get(name="approver"))
    viewers = Group.objects.get(name="viewer")
    viewers.permissions.add(Permission.objects.get(codename="register"))
    assert len(rows()) == 3
    adopt_after_upgrade(plan=upgrade_plan("0016_readable_names"))
    assert len(rows()) == 3
    adopt_after_upgrade(plan=upgrade_plan("0020_accounts_adopted"))
    assert rows() == ()
    adopted = AuditEvent.objects.filter(action__contains="adopted").order_by("sequence")
    assert [(event.action, event.channel) for event in adopted] == [
        ("user.adopted", "system"),
        ("user.adopted", "system"),
        ("group.adopted", "system"),
    ]
    User.objects.filter(pk=shell.pk).update(is_superuser=False)
    viewers.permissions.clear()
    assert len(rows()) == 2


def test_accounts_and_groups_that_changed_later_are_adopted_by_the_command() -> None:
    for name in ("ada", "bob"):
        create_user(username=name, group="viewer", actor=SYSTEM, at=timezone.now())
    User.objects.filter(username="ada").update(username="ada.l")
    Group.objects.get(name="viewer").permissions.add(Permission.objects.get(codename="waive"))
    assert len(rows()) == 2

    def adopt(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(user_commands, ["adopt", *arguments])
        return done.exit_code, done.output.strip()

    assert adopt("bob") == (0, "The audit log already supports bob.")
    assert len(rows()) == 2
    assert adopt("ada.l") == (0, "Recorded ada.l in the audit log.")
    assert adopt("--group", "viewer") == (0, "Recorded the group viewer in the audit log.")
    assert rows() == ()
    assert adopt("--group", "viewer") == (0, "The audit log already supports the group viewer.")
    assert adopt()[0] == adopt("bob", "--group", "viewer")[0] == 2
    assert adopt("--group", "emperors")[0] == adopt("dora")[0] == 1


def test_an_upgrade_records_the_files_of_runs_once() -> None:
    ada = create_user(username="ada", group="contributor", actor=SYSTEM, at=timezone.now())
    blob = store_blob(body=BytesIO(b"x"), size=1, actor=Actor(ada, SYSTEM.channel), at=NOON)
    count = ADOPTED_AT_ONCE + 1
    for number in range(count):
        user = ada if number else None
        RunFile.objects.create(path=f"r/{number}", blob=blob, user=user, stored_at=NOON)
    assert len(rows()) == count
    adopt_files_after_upgrade(plan=upgrade_plan("0023_access_events"))
    assert len(rows()) == count
    adopt_files_after_upgrade(plan=upgrade_plan("0024_limited_tokens"))
    assert rows() == ()
    assert AuditEvent.objects.filter(action="run_file.adopted").count() == 2
    delete_run_files(path="r/0", actor=SYSTEM, at=timezone.now())
    assert rows() == ()


def test_an_installation_without_accounts_gets_no_event_by_the_upgrade() -> None:
    adopt_after_upgrade(plan=upgrade_plan("0020_accounts_adopted"))
    adopt_files_after_upgrade(plan=upgrade_plan("0024_limited_tokens"))
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_write_during_the_verification_is_no_difference(registry: DatabaseRegistry) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("The database of the tests is in memory, which a reader locks.")
    writes: list[threading.Thread] = []

    def write() -> None:
        try:
            registry.log_metrics("churn", 1, {"auc": 0.99})
            registry.register_model("other")
            create_user(username="late", group="viewer", actor=SYSTEM, at=timezone.now())
        finally:
            connections.close_all()

    def after_the_events(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        # A table is compared: all events were read before.
        if not writes and 'FROM "boards_metric"' in sql:
            writes.append(threading.Thread(target=write))
            writes[0].start()
            writes[0].join()
        return execute(sql, *rest)

    with connection.execute_wrapper(after_the_events):
        report = verify_chains()
    assert writes
    assert (report.broken, report.rows, report.events) == ((), (), 3)
    assert verify_chains().rows == ()
