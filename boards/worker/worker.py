"""The loop of a worker: deliveries whenever some are due, chores at their times."""

from __future__ import annotations

import logging
import threading

from django.db import connections
from django.utils import timezone

from boards.registry.webhooks.deliveries import next_due
from boards.webhooks.delivering import Sender
from boards.worker.chores import do_chores
from boards.worker.new_work import NewWork, watch

SECONDS_AFTER_TROUBLE = 0.5

logger = logging.getLogger(__name__)


class Worker:
    """Sends deliveries and does chores from `run` until another thread calls `stop`.

    `site` is the public address of this registry, for the links in messages.
    """

    def __init__(self, *, site: str) -> None:
        self._site = site
        self._stopping = threading.Event()
        # Set when an attempt has ended, when a delivery was written, and by `stop`.
        self._wake = threading.Event()
        self._chores_at = timezone.now()

    def stop(self) -> None:
        """Lease nothing more; `run` returns once the attempts in progress are recorded."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Work until stopped. All errors are logged, and the worker tries again."""
        with watch(self._wake) as new_work, Sender(site=self._site, wake=self._wake) as sender:
            while not self._stopping.is_set():
                try:
                    self._work(sender, new_work)
                except Exception:
                    # If the worker ended here, no delivery would be sent any more.
                    logger.exception("The worker failed and will try again.")
                    connections.close_all()
                    self._stopping.wait(SECONDS_AFTER_TROUBLE)
        connections.close_all()

    def _work(self, sender: Sender, new_work: NewWork) -> None:
        """Record what has ended, do what is due, and wait if there was nothing to do."""
        # First: a change from here on ends the wait below.
        self._wake.clear()
        new_work.begin()
        is_idle = not sender.record_ended()
        at = timezone.now()
        if at >= self._chores_at:
            self._chores_at = do_chores(at)
            # The rest follows after the attempts that have ended meanwhile are recorded.
            is_idle = is_idle and self._chores_at > at
        if not sender.send_due() and is_idle and not self._stopping.is_set():
            due = min(next_due(after=at) or self._chores_at, self._chores_at)
            new_work.wait((due - timezone.now()).total_seconds())
