"""System checks that use the database: run by ``check --database default`` and at startup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from boards.triggers import TABLE, missing_triggers


@register(Tags.database)
def audit_log_is_guarded(
    databases: Sequence[str] | None = None, **_: Any
) -> Sequence[CheckMessage]:
    """Report the triggers that are missing from the audit log."""
    problems = []
    for alias in databases or ():
        connection = connections[alias]
        if TABLE not in connection.introspection.table_names():
            continue
        problems += [
            Error(
                f"The audit log has no trigger {name}.",
                hint="Run the migrate command, which creates the missing triggers.",
                id="boards.E001",
            )
            for name in missing_triggers(connection)
        ]
    return problems
