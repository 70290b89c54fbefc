"""Databases with only some of the migrations that were squashed."""

from __future__ import annotations

from importlib import import_module

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

_REPLACED: list[tuple[str, str]] = import_module(
    "boards.migrations.0001_squashed_0013_delivery_leased"
).Migration.replaces
# The last commit that has the replaced migrations.
_LAST_WITH_THEM = "457acaf"


def partial_history(connection: BaseDatabaseWrapper) -> str:
    """Return why this version cannot upgrade the database and what to do; empty if it can.

    Django uses the squashed migration only if all or none of the replaced ones are applied. With
    some of them it looks for the replaced files, which no longer exist, and treats the app as one
    without migrations: `migrate` fails with a traceback, and no migration counts as missing.
    """
    applied = MigrationRecorder(connection).applied_migrations()
    present = [replaced for replaced in _REPLACED if replaced in applied]
    if len(present) in {0, len(_REPLACED)}:
        return ""
    return (
        f"The database is from an early version of Obeya (its last migration is {present[-1][1]}), "
        "and this version cannot upgrade it directly. "
        f"Run `obeya serve` of commit {_LAST_WITH_THEM} on it once, then start this version again. "
        "Nothing was changed."
    )
