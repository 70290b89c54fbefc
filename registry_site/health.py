"""Health checks for monitoring: is the server running, and can it handle requests."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from boards.migration_history import partial_history
from boards.triggers import missing_triggers


class _Migrated:
    """Whether every migration is applied: checked until it is, then remembered."""

    known = False


@login_not_required
@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process responds; does not use the database."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if requests can be handled, else 503 and one line for each problem."""
    missing = what_is_missing()
    return HttpResponse(
        "\n".join(missing or ["ok"]) + "\n",
        status=503 if missing else 200,
        content_type="text/plain; charset=utf-8",
    )


def what_is_missing() -> list[str]:
    """Return what prevents this process from handling requests, in sentences; empty if nothing."""
    try:
        if not _Migrated.known:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan or partial_history(connection):
                return ["Some database migrations are not applied."]
            _Migrated.known = True
        return [f"The audit log has no trigger {name}." for name in missing_triggers(connection)]
    except DatabaseError:
        return ["The database does not respond."]
