"""One consistent state of all tables, for reads of many statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def snapshot() -> Iterator[None]:
    """Read one consistent state of all tables inside, whatever is written meanwhile.

    Inside of a transaction, that transaction decides what is read.
    """
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "sqlite":
        # One of Django's transactions would take the lock of all writers.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
