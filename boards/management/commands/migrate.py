"""Django's `migrate`, which refuses a database that this version cannot upgrade."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from boards.migration_history import partial_history


class Command(migrate.Command):
    """Refuses with one sentence where Django would fail with a traceback."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, unless only some of the migrations that were squashed are applied."""
        problem = partial_history(connections[options["database"]])
        if problem:
            raise CommandError(problem)
        super().handle(*args, **options)
