"""Removal of the triggers that make the audit log append-only."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from boards import triggers


def drop_triggers(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers that protect the audit log, if they exist."""
    is_sqlite = connection.vendor == "sqlite"
    on_table = "" if is_sqlite else f" ON {triggers.TABLE}"
    with connection.cursor() as cursor:
        for name in triggers._SQLITE if is_sqlite else triggers._POSTGRESQL:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")
