"""How a write notifies the waiting delivery workers that there is a delivery to send."""

from __future__ import annotations

from django.db import connection

CHANNEL = "obeya_deliveries"


def notify_workers() -> None:
    """Wake the workers when the current transaction commits.

    One statement on PostgreSQL. None on SQLite, where the workers watch the file.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
