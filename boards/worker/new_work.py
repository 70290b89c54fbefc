"""How a worker waits until there is something to send.

SQLite: `PRAGMA data_version` changes when another connection has written; it reads no table.
PostgreSQL: every write of a delivery notifies the channel that a thread listens to.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from django.db import connection, connections

from boards.registry.worker_channel import CHANNEL

SECONDS_BETWEEN_LOOKS = 0.05
# A connection pooler between worker and PostgreSQL can lose notifications.
SECONDS_WITHOUT_NOTIFICATION = 5.0
SECONDS_TO_STOP_LISTENING = 0.5

logger = logging.getLogger(__name__)


class NewWork(Protocol):
    """Notifies a worker of a possible change."""

    def begin(self) -> None:
        """Remember the current state: a change from now on ends the next `wait`."""

    def wait(self, seconds: float) -> bool:
        """Wait until the worker's event is set or something changed, at most for `seconds`.

        Returns False if the time passed and nothing happened.
        """


@contextmanager
def watch(wake: threading.Event) -> Iterator[NewWork]:
    """Watch the database for new deliveries; `wake` ends a wait too."""
    if connection.vendor == "sqlite":
        yield _DataVersion(wake)
        return
    with _listening(wake):
        yield _Notified(wake)


class _DataVersion:
    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake
        self._seen = 0

    def begin(self) -> None:
        self._seen = _data_version()

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._wake.wait(min(left, SECONDS_BETWEEN_LOOKS)) or _data_version() != self._seen:
                return True
        return False


def _data_version() -> int:
    """Return the version of the file for this thread's connection; its own writes do not count."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])


class _Notified:
    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake

    def begin(self) -> None:
        """Nothing to remember: a notification sets the event."""

    def wait(self, seconds: float) -> bool:
        return self._wake.wait(max(0.0, min(seconds, SECONDS_WITHOUT_NOTIFICATION)))


@contextmanager
def _listening(wake: threading.Event) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=_listen, args=(wake, stopping), name="listener", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        # The thread may be connecting to a host that does not respond.
        thread.join(2 * SECONDS_TO_STOP_LISTENING)


def _listen(wake: threading.Event, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            # For deliveries that were written before this connection listened.
            wake.set()
            while not stopping.is_set():
                with connection.wrap_database_errors:
                    for _ in connection.connection.notifies(timeout=SECONDS_TO_STOP_LISTENING):
                        wake.set()
        except Exception as error:  # noqa: BLE001 - the worker goes on without notifications
            logger.warning(
                "The worker gets no notifications from PostgreSQL and checks every %g seconds: %s",
                SECONDS_WITHOUT_NOTIFICATION,
                error,
            )
            connections.close_all()
            stopping.wait(SECONDS_WITHOUT_NOTIFICATION)
    connections.close_all()
