"""Databases with all, none or some of the replaced migrations; only some is refused."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from boards.migration_history import partial_history
from boards.models import AuditEvent
from registry_site import health
from tests.offenders import every_case

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

REPLACED = [
    "0001_initial",
    "0002_governance",
    "0003_audit_indexes",
    "0004_policy_removed",
    "0005_tokens",
    "0006_links_logged",
    "0007_waivers_by_time",
    "0008_latest_by_stage",
    "0009_import_channel",
    "0010_version_searches",
    "0011_artifacts",
    "0012_webhooks",
    "0013_delivery_leased",
]


def record_first(count: int) -> None:
    rows = MigrationRecorder(connection).Migration.objects
    rows.filter(app="boards", name__lte=REPLACED[-1]).delete()
    for name in REPLACED[:count]:
        rows.create(app="boards", name=name)


def test_all_or_none_of_the_replaced_migrations_are_accepted() -> None:
    for count in (0, len(REPLACED)):
        record_first(count)
        assert partial_history(connection) == ""
    call_command("migrate", verbosity=0)
    applied = MigrationRecorder(connection).applied_migrations()
    assert ("boards", "0001_squashed_0013_delivery_leased") in applied


def test_some_of_the_replaced_migrations_are_refused_naming_the_last(client, monkeypatch) -> None:
    with every_case() as case:
        for count in range(1, len(REPLACED)):
            with case(count):
                record_first(count)
                with pytest.raises(CommandError, match=f"last migration is {REPLACED[count - 1]}"):
                    call_command("migrate", verbosity=0)
                monkeypatch.setattr(health._Migrated, "known", False)
                answer = client.get("/readyz")
                assert answer.status_code == 503
                assert answer.content == b"Some database migrations are not applied.\n"


def test_a_new_action_needs_no_migration() -> None:
    assert AuditEvent._meta.get_field("action").choices is None
