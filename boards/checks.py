"""System checks, run by ``check`` and ``obeya doctor``; those of the database also at startup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
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


@register(Tags.security)
def proxies_are_listed(**_: Any) -> Sequence[CheckMessage]:
    """Report a proxy in front whose address is not configured."""
    if not settings.OBEYA_HTTPS or settings.OBEYA_TRUSTED_PROXIES:
        return []
    return [
        CheckWarning(
            "OBEYA_HTTPS is set, so a proxy is in front, but OBEYA_TRUSTED_PROXIES is empty: "
            "all clients share the limits on requests and wrong passwords.",
            hint="Set OBEYA_TRUSTED_PROXIES to the address of the proxy.",
            id="boards.W001",
        )
    ]
