"""Triggers that make the database refuse changes of the audit log.

SQLite: UPDATE and DELETE abort; so does an INSERT that would replace an event, because ``INSERT OR
REPLACE`` fires no DELETE trigger. PostgreSQL: the same for UPDATE and DELETE, and for TRUNCATE; the
triggers are ENABLE ALWAYS, so that ``session_replication_role`` does not skip them. docs/audit.md
describes what this protects from, and what it does not.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from boards.models import AuditEvent

TABLE = AuditEvent._meta.db_table

# The statements contain no input, only the table's name.
_SQLITE = {
    f"{TABLE}_no_update": f"""
        CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    f"{TABLE}_no_delete": f"""
        CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    f"{TABLE}_no_replace": f"""
        CREATE TRIGGER {TABLE}_no_replace BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)
          OR EXISTS (SELECT 1 FROM {TABLE}
                     WHERE model_id = NEW.model_id AND sequence = NEW.sequence)
          OR (NEW.model_id IS NULL AND EXISTS (SELECT 1 FROM {TABLE}
                     WHERE model_id IS NULL AND sequence = NEW.sequence))
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",  # noqa: S608
}

_POSTGRESQL_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"""

_POSTGRESQL = {
    f"{TABLE}_no_change": f"""
        CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()""",
    f"{TABLE}_no_truncate": f"""
        CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE}
        FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()""",
}


def missing_triggers(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers that are missing or disabled."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE]
            )
            wanted = _SQLITE
        else:
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgenabled = 'A'",
                [TABLE],
            )
            wanted = _POSTGRESQL
        present = {row[0] for row in cursor.fetchall()}
    return sorted(set(wanted) - present)


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers that are missing; does nothing if all exist."""
    missing = missing_triggers(connection)
    if not missing:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in missing:
                cursor.execute(_SQLITE[name])
            return
        cursor.execute(_POSTGRESQL_FUNCTION)
        for name in missing:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {TABLE}")
            cursor.execute(_POSTGRESQL[name])
            cursor.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {name}")


def install_after_migrate(using: str, **_: Any) -> None:
    """Create the missing triggers after every migration. Receiver of post_migrate."""
    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        install(connection)
