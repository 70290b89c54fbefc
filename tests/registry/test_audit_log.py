"""The database refuses changes of the log, and verification finds tampering."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction
from django.db.models import ProtectedError

from boards import triggers
from boards.access.actors import Actor
from boards.checks import audit_log_is_guarded
from boards.models import AuditEvent, AuditText, RegisteredModel, SiteChain, StageTransition
from boards.queries.verification.verification import verify_chains
from boards.registry.catalog.metrics import define_metric
from boards.registry.catalog.registration import register_version
from boards.registry.transitions.transitions import transition_stage
from obeya.audit.chain import event_hash
from obeya.metrics import MetricDefinition
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent
from tests.unreadable_texts import UNREADABLE

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
TABLE = AuditEvent._meta.db_table
APPEND_ONLY = "the audit log is append-only"


@pytest.fixture(autouse=True)
def resnet50(alice, settings):
    """Create chains of four events for resnet50, two for bert and two for the registry."""
    # No alias follows the moves, so that each is one event.
    settings.OBEYA_WORKFLOW = "open"
    actor = Actor(alice, Channel.PAGE)
    register_version(draft=VersionDraft(model="resnet50"), actor=actor, at=NOON)
    for hours, stage in enumerate((Stage.STAGING, Stage.PRODUCTION), start=1):
        transition_stage(
            name="resnet50",
            version=1,
            intent=TransitionIntent(to_stage=stage, reason=f"On to {stage.label}."),
            actor=actor,
            at=NOON + timedelta(hours=hours),
        )
    register_version(draft=VersionDraft(model="bert"), actor=actor, at=NOON)
    for name in ("f1", "top1"):
        define_metric(definition=MetricDefinition(name), actor=actor, at=NOON)
    return RegisteredModel.objects.get(name="resnet50")


def event(sequence, name="resnet50"):
    return AuditEvent.objects.get(model__name=name, sequence=sequence)


def rows():
    return list(AuditEvent.objects.order_by("pk").values())


def execute(sql):
    """Run a statement in which ``{log}`` is the log's table and ``{others}`` all columns but id."""
    columns = [field.column for field in AuditEvent._meta.local_concrete_fields]
    with connection.cursor() as cursor:
        cursor.execute(
            sql.replace("{log}", TABLE).replace("{others}", ", ".join(set(columns) - {"id"}))
        )


def check_constraints_now():
    """Check foreign keys now: PostgreSQL alters no table with pending checks."""
    if connection.vendor == "postgresql":
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def trigger_names():
    return sorted(triggers._SQLITE if connection.vendor == "sqlite" else triggers._POSTGRESQL)


def drop(name):
    check_constraints_now()
    execute(f"DROP TRIGGER {name}" + ("" if connection.vendor == "sqlite" else f" ON {TABLE}"))


def assert_refused(change):
    before = rows()
    check_constraints_now()
    with pytest.raises(DatabaseError, match=APPEND_ONLY), transaction.atomic():
        change()
    assert rows() == before


# --- Refusals of the database ---------------------------------------------------------------------

ANY_ENGINE = [
    "UPDATE {log} SET hash = 'x'",
    "UPDATE {log} SET hash = hash WHERE sequence = 1",
    "UPDATE {log} SET id = id + 1000",
    "DELETE FROM {log}",
    "DELETE FROM {log} WHERE sequence = 4",
]
SQLITE = [
    "INSERT OR REPLACE INTO {log} SELECT * FROM {log} WHERE sequence = 1",
    "REPLACE INTO {log} SELECT * FROM {log}",
    "REPLACE INTO {log} ({others}) SELECT {others} FROM {log} WHERE model_id IS NOT NULL",
    "REPLACE INTO {log} ({others}) SELECT {others} FROM {log} WHERE model_id IS NULL",
    "UPDATE OR REPLACE {log} SET sequence = 1 WHERE sequence = 2",
    "INSERT INTO {log} SELECT * FROM {log} WHERE true ON CONFLICT (id) DO UPDATE SET hash = 'x'",
]
POSTGRESQL = [
    "TRUNCATE {log} CASCADE",
    "TRUNCATE boards_registeredmodel CASCADE",
    "INSERT INTO {log} SELECT * FROM {log} ON CONFLICT (id) DO UPDATE SET hash = 'x'",
]
ENGINES_OWN = SQLITE if connection.vendor == "sqlite" else POSTGRESQL


@pytest.mark.parametrize("sql", [*ANY_ENGINE, *ENGINES_OWN])
def test_the_database_refuses_to_change_the_log(sql):
    assert_refused(lambda: execute(sql))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own setting")
@pytest.mark.parametrize("sql", [*ANY_ENGINE, *POSTGRESQL])
def test_postgresql_refuses_it_also_in_replica_mode(sql):
    def change():
        execute("SET LOCAL session_replication_role = replica")
        execute(sql)

    assert_refused(change)


def changed_first_event():
    """Return the first event with a changed hash, not saved."""
    changed = event(1)
    changed.hash = "x"
    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda: AuditEvent.objects.update(hash="x"),
        lambda: AuditEvent.objects.filter(sequence=2).update(occurred_at=NOON),
        lambda: StageTransition.objects.update(to_stage="archived"),
        lambda: AuditEvent.objects.bulk_update([changed_first_event()], ["hash"]),
        lambda: AuditEvent.objects.bulk_create(
            [changed_first_event()],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["hash"],
        ),
        lambda: AuditEvent.objects.update_or_create(pk=event(1).pk, defaults={"hash": "x"}),
        lambda: changed_first_event().save(),
        lambda: event(2).delete(),
        lambda: AuditEvent.objects.filter(texts=None).delete(),
        lambda: AuditEvent.objects.filter(sequence=2)._raw_delete("default"),
    ],
    ids=[
        "update",
        "update-of-one",
        "update-through-the-proxy",
        "bulk_update",
        "bulk_create-with-conflicts",
        "update_or_create",
        "save",
        "delete",
        "queryset-delete",
        "raw-delete",
    ],
)
def test_the_database_refuses_the_orm_as_well(change):
    assert_refused(change)


def test_rows_referenced_by_the_log_cannot_be_deleted(resnet50, alice):
    for row in (resnet50, resnet50.versions.get(), alice, event(3)):
        with pytest.raises(ProtectedError), transaction.atomic():
            row.delete()


def test_events_can_be_appended(resnet50):
    before = len(rows())
    register_version(
        draft=VersionDraft(model="resnet50"), actor=Actor(None, Channel.SYSTEM), at=NOON
    )
    assert len(rows()) == before + 1


# --- The triggers ---------------------------------------------------------------------------------


def test_every_trigger_exists_and_the_check_finds_nothing(db):
    assert triggers.missing_triggers(connection) == []
    assert audit_log_is_guarded(databases=["default"]) == []


def test_a_trigger_dropped_by_hand_is_named_by_the_system_check_and_put_back_by_migrate(db):
    for name in trigger_names():
        drop(name)
        assert triggers.missing_triggers(connection) == [name]
        found = run_checks(tags=["database"], databases=["default"])
        (error,) = [message for message in found if message.id == "boards.E001"]
        assert name in error.msg
        call_command("migrate", verbosity=0)
        assert triggers.missing_triggers(connection) == []
    assert_refused(lambda: execute("DELETE FROM {log}"))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite cannot switch triggers off")
@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE TRIGGER"])
def test_a_trigger_that_postgresql_would_skip_counts_as_missing(how):
    check_constraints_now()
    for name in trigger_names():
        execute(f"ALTER TABLE {TABLE} {how} {name}")
    assert triggers.missing_triggers(connection) == trigger_names()
    triggers.install(connection)
    assert triggers.missing_triggers(connection) == []


def test_the_check_reads_only_the_requested_databases(db):
    drop(trigger_names()[0])
    assert audit_log_is_guarded() == []


@pytest.mark.django_db(transaction=True)
def test_the_triggers_exist_after_a_migration_that_recreates_the_table(resnet50):
    before = rows()
    present = AuditEvent._meta.get_field("hash")
    wider = models.CharField(max_length=65)
    wider.set_attributes_from_name("hash")
    wider.model = AuditEvent
    try:
        with connection.schema_editor() as editor:
            editor.alter_field(AuditEvent, present, wider)
        if connection.vendor == "sqlite":
            # Otherwise this test would prove nothing.
            assert triggers.missing_triggers(connection) == trigger_names()
        call_command("migrate", verbosity=0)
        assert triggers.missing_triggers(connection) == []
        assert_refused(lambda: execute("UPDATE {log} SET hash = 'x'"))
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(AuditEvent, wider, present)
        call_command("migrate", verbosity=0)
    assert triggers.missing_triggers(connection) == []
    assert rows() == before
    assert verify_chains().broken == ()


def test_migrating_again_changes_nothing(whole_database):
    before = whole_database()
    said = io.StringIO()
    for _ in range(2):
        call_command("migrate", stdout=said)
    assert said.getvalue().count("No migrations to apply.") == 2
    assert whole_database() == before


def test_no_migration_is_missing(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


# --- Tampering below the triggers -----------------------------------------------------------------


@pytest.fixture
def without_triggers(db):
    """Drop the triggers, as the owner of the database or of its files could.

    The test's transaction is rolled back, which restores the triggers.
    """
    for name in trigger_names():
        drop(name)


def change(place, **values):
    AuditEvent.objects.filter(pk=event(place).pk).update(**values)


def forge(sequence, **values):
    """Rewrite an event with a hash that matches its new text."""
    record = {**json.loads(event(sequence).canonical_text), **values}
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    change(sequence, canonical_text=text, hash=event_hash(text), **values)


def found():
    return {(link.chain, link.sequence) for link in verify_chains().broken}


def test_an_unchanged_log_verifies_and_is_counted(db):
    report = verify_chains()
    assert (report.chains, report.events, report.broken) == (3, 8, ())


def test_an_empty_log_verifies(without_triggers):
    AuditText.objects.all().delete()
    AuditEvent.objects.all().delete()
    RegisteredModel.objects.update(chain_length=0, chain_hash="0" * 64)
    SiteChain.objects.all().delete()
    assert verify_chains().broken == ()


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize("sequence", [1, 2, 3, 4])
def test_one_flipped_bit_of_a_text_or_a_hash_is_named(sequence, resnet50):
    genuine = event(sequence)
    for place in (0, 40, len(genuine.canonical_text) - 1):
        text = genuine.canonical_text
        flipped = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        change(sequence, canonical_text=flipped)
        assert found() == {(str(resnet50.uid), sequence)}
    change(sequence, canonical_text=genuine.canonical_text)
    change(sequence, hash=("1" if genuine.hash[0] == "0" else "0") + genuine.hash[1:])
    assert found() == {(str(resnet50.uid), sequence)}


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("occurred_at", NOON),
        ("recorded_at", NOON),
        ("actor", None),
        ("channel", "api"),
        ("action", "model_version.deleted"),
        ("version", None),
        ("from_stage", "archived"),
        ("from_stage", ""),
        ("to_stage", "archived"),
        ("operation", None),
        ("previous_hash", "0" * 64),
    ],
)
def test_a_column_that_differs_from_the_hashed_text_is_named(column, value, resnet50):
    change(3, **{column: value})
    (link,) = verify_chains().broken
    assert (link.chain, link.sequence) == (str(resnet50.uid), 3)
    assert column in link.problem


@pytest.mark.usefixtures("without_triggers")
def test_an_event_given_to_another_person_is_named(resnet50, carol):
    change(3, actor=carol)
    assert found() == {(str(resnet50.uid), 3)}


def test_a_reason_that_was_changed_is_named(resnet50):
    AuditText.objects.filter(event=event(3)).update(text="Somebody else's words.")
    (link,) = verify_chains().broken
    assert (link.chain, link.sequence) == (str(resnet50.uid), 3)
    assert "reason" in link.problem


def test_a_text_that_was_added_is_named(resnet50):
    AuditText.objects.create(event=event(2), role="reason", text="Never said.")
    assert found() == {(str(resnet50.uid), 2)}


def test_an_erased_reason_is_not_a_broken_link(resnet50):
    AuditText.objects.filter(event=event(3)).delete()
    assert found() == set()


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_removed_event_is_named_at_its_place(sequence, resnet50):
    AuditText.objects.filter(event=event(sequence)).delete()
    event(sequence).delete()
    (link,) = verify_chains().broken
    assert (link.chain, link.sequence) == (str(resnet50.uid), sequence)
    assert "missing" in link.problem


@pytest.mark.usefixtures("without_triggers")
def test_a_removed_event_is_named_after_renumbering(resnet50):
    event(2).delete()
    for sequence in (3, 4):
        change(sequence, sequence=sequence - 1)
    assert found() == {(str(resnet50.uid), 2)}


@pytest.mark.usefixtures("without_triggers")
def test_two_swapped_events_are_named_at_the_first(resnet50):
    change(3, sequence=99)
    change(4, sequence=3)
    change(99, sequence=4)
    assert found() == {(str(resnet50.uid), 3)}


@pytest.mark.usefixtures("without_triggers")
def test_a_cut_tail_is_named_where_it_began(resnet50):
    AuditText.objects.filter(event=event(4)).delete()
    event(4).delete()
    (link,) = verify_chains().broken
    assert (link.chain, link.sequence) == (str(resnet50.uid), 4)
    assert "ends at event 3" in link.problem


@pytest.mark.usefixtures("without_triggers")
def test_a_removed_chain_is_named_at_its_first_event(resnet50):
    AuditText.objects.filter(event__model=resnet50).delete()
    AuditEvent.objects.filter(model=resnet50).delete()
    AuditEvent.objects.filter(model=None).delete()
    site = SiteChain.objects.get()
    assert found() == {(str(resnet50.uid), 1), (str(site.uid), 1)}


@pytest.mark.parametrize(
    "head", [{"chain_hash": "0" * 64}, {"chain_length": 3}, {"chain_length": 5}], ids=str
)
def test_a_head_that_differs_from_the_end_of_its_chain_is_named(head, resnet50):
    RegisteredModel.objects.filter(pk=resnet50.pk).update(**head)
    (link,) = verify_chains().broken
    assert link.chain == str(resnet50.uid)
    assert "head has" in link.problem


def test_a_wrong_head_of_the_registrys_chain_is_named(db):
    SiteChain.objects.update(chain_length=5)
    assert found() == {(str(SiteChain.objects.get().uid), 3)}


@pytest.mark.usefixtures("without_triggers")
def test_an_event_rewritten_with_a_fitting_hash_is_found_at_the_next(resnet50):
    forge(3, to_stage="archived")
    assert found() == {(str(resnet50.uid), 4)}


@pytest.mark.usefixtures("without_triggers")
def test_the_last_event_rewritten_with_a_fitting_hash_is_found_by_the_head(resnet50):
    forge(4, to_stage="archived")
    assert found() == {(str(resnet50.uid), 4)}


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"texts": 7}', "{"], ids=repr)
def test_a_text_that_is_not_a_record_is_named_and_the_rest_is_verified(text, resnet50):
    change(2, canonical_text=text, hash=event_hash(text))
    assert found() == {(str(resnet50.uid), 2)}


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize("how", UNREADABLE)
@pytest.mark.parametrize("fits", [True, False], ids=["hash fits", "old hash"])
def test_an_unreadable_event_is_named_and_the_rest_is_verified(how, fits, resnet50):
    text = UNREADABLE[how](event(3).canonical_text)
    change(3, canonical_text=text, **({"hash": event_hash(text)} if fits else {}))
    report = verify_chains()
    assert [(link.chain, link.sequence) for link in report.broken] == [(str(resnet50.uid), 3)]
    assert (report.chains, report.events) == (3, 8)


@pytest.mark.usefixtures("without_triggers")
def test_an_event_that_was_given_to_another_model_breaks_both_chains(resnet50):
    bert = RegisteredModel.objects.get(name="bert")
    change(3, model=bert)
    assert found() == {(str(resnet50.uid), 3), (str(bert.uid), 3)}


@pytest.mark.usefixtures("without_triggers")
def test_each_broken_chain_is_named_at_its_first_broken_link(resnet50):
    bert = RegisteredModel.objects.get(name="bert")
    change(2, channel="api")
    change(4, channel="api")
    AuditEvent.objects.filter(model=bert, sequence=1).update(hash="x")
    assert found() == {(str(resnet50.uid), 2), (str(bert.uid), 1)}
    assert verify_chains().events == 8
