"""The worker: leases the deliveries that are due, sends them and records the attempts.

One thread uses the database; the others only send. So an attempt needs no database connection, and
attempts that end together are recorded together.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from boards.registry.accounts.sign_ins import end_failed_sign_ins
from boards.registry.accounts.token_addresses import forget_token_addresses
from boards.registry.webhooks import deliveries
from boards.registry.webhooks.deliveries import Attempt, Leased, Outcome
from boards.webhooks.new_work import NewWork, watch
from boards.webhooks.sending import attempt, unexpected

# A worker sends to this many endpoints at their limit before another endpoint has to wait.
BUSY_ENDPOINTS = 8
# Longer than an attempt can take: a lease expires only if its worker has ended.
LEASE_SECONDS = 60
SECONDS_AFTER_TROUBLE = 0.5
CHORES_EVERY = timedelta(minutes=10)

logger = logging.getLogger(__name__)


class Worker:
    """Sends deliveries from `run` until another thread calls `stop`.

    `site` is the public address of this registry, for the links in messages.
    """

    def __init__(self, *, site: str) -> None:
        self._site = site
        self._stopping = threading.Event()
        # Set when an attempt has ended, when a delivery was written, and by `stop`.
        self._wake = threading.Event()
        self._under_way: dict[Future[Attempt], Leased] = {}
        self._unrecorded: list[Attempt] = []
        self._chores_at = timezone.now()

    def stop(self) -> None:
        """Lease nothing more; `run` returns once the attempts in progress are recorded."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Send until stopped. All errors are logged, and the worker tries again."""
        room = BUSY_ENDPOINTS * settings.OBEYA_WEBHOOK_CONCURRENCY
        with (
            ThreadPoolExecutor(room, thread_name_prefix="delivery") as pool,
            watch(self._wake) as new_work,
        ):
            while not self._stopping.is_set():
                try:
                    self._work(pool, room, new_work)
                except Exception:
                    # If the worker ended here, no delivery would be sent any more.
                    logger.exception("The worker failed and will try again.")
                    connections.close_all()
                    self._stopping.wait(SECONDS_AFTER_TROUBLE)
            self._finish()
        connections.close_all()

    def _work(self, pool: ThreadPoolExecutor, room: int, new_work: NewWork) -> None:
        """Record what has ended, send what is due, and wait if there was nothing to do."""
        # First: a change from here on ends the wait below.
        self._wake.clear()
        new_work.begin()
        is_idle = not self._record_ended()
        at = timezone.now()
        if at >= self._chores_at:
            self._chores_at = do_chores(at)
            # The rest follows after the attempts that have ended meanwhile are recorded.
            is_idle = is_idle and self._chores_at > at
        leased = lease(room - len(self._under_way))
        for each in leased:
            try:
                future = pool.submit(send, each, site=self._site)
            except RuntimeError as error:
                # No thread can be started.
                self._unrecorded.append(_failed(each, error))
            else:
                self._under_way[future] = each
                future.add_done_callback(lambda _: self._wake.set())
        if is_idle and not leased and not self._stopping.is_set():
            due = min(deliveries.next_due(after=at) or self._chores_at, self._chores_at)
            new_work.wait((due - timezone.now()).total_seconds())

    def _record_ended(self) -> int:
        """Record the attempts that have ended; return their number.

        Attempts that cannot be recorded because of a database error are recorded the next time.
        """
        for future in [each for each in self._under_way if each.done()]:
            leased = self._under_way.pop(future)
            error = future.exception()
            self._unrecorded.append(_failed(leased, error) if error else future.result())
        count = len(self._unrecorded)
        if count:
            record(self._unrecorded)
            self._unrecorded = []
        return count

    def _finish(self) -> None:
        try:
            self._record_ended()
            while self._under_way:
                wait(self._under_way, return_when=FIRST_COMPLETED)
                self._record_ended()
        except Exception:
            logger.exception("The last attempts were not recorded and will be repeated.")


def lease(room: int) -> Sequence[Leased]:
    """Lease the deliveries that are due now, at most `room` of them."""
    if room <= 0:
        return []
    return deliveries.lease_due(
        limit=room,
        per_webhook=settings.OBEYA_WEBHOOK_CONCURRENCY,
        seconds=LEASE_SECONDS,
        at=timezone.now(),
    )


def send(leased: Leased, *, site: str) -> Attempt:
    """Make one attempt of a delivery, without the database."""
    outcome = attempt(leased, site=site, at=timezone.now())
    # Spreads retries; not a secret.
    chance = random.random()  # noqa: S311
    return Attempt(leased=leased, outcome=outcome, made_at=timezone.now(), chance=chance)


def _failed(leased: Leased, error: BaseException) -> Attempt:
    """Return the attempt of a delivery that could not be sent because of an error here."""
    logger.error("The delivery %s failed.", leased.pk, exc_info=error)
    outcome = Outcome(milliseconds=0, error=unexpected(error))
    return Attempt(leased=leased, outcome=outcome, made_at=timezone.now())


def record(attempts: Sequence[Attempt]) -> None:
    """Record attempts together; one that cannot be recorded does not stop others.

    It is recorded without what the database refused, so that the delivery has an attempt and the
    reason.

    Raises:
        OperationalError, InterfaceError: the database cannot be used now. What was not recorded can
            be passed again, together with what was.
    """
    try:
        deliveries.record_attempts(attempts)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # noqa: BLE001 - each is tried again and logged below
        for each in attempts:
            _record_one(each)


def _record_one(attempt: Attempt, *, is_last_resort: bool = False) -> None:
    try:
        deliveries.record_attempts([attempt])
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        message = attempt.leased.message.message_id
        logger.exception("An attempt of %s could not be recorded.", message)
        if is_last_resort:
            # Its lease expires, and it is sent again.
            return
        status = attempt.outcome.status_code
        why = f"The response could not be stored ({type(error).__name__}: {error})."
        rest = Outcome(milliseconds=0, status_code=status, error=why)
        _record_one(replace(attempt, outcome=rest), is_last_resort=True)


def do_chores(at: datetime) -> datetime:
    """Publish the daily heads, record counted failed sign-ins, and remove a batch of old rows.

    Returns when to do this again, which is not after `at` if there may be more to do.
    """
    deliveries.publish_heads(at=at)
    forget_token_addresses(at=at)
    older_than = at - timedelta(days=settings.OBEYA_WEBHOOK_DAYS)
    counts_end = end_failed_sign_ins(at=at)
    if deliveries.sweep_deliveries(older_than=older_than):
        return at
    return min(at + CHORES_EVERY, counts_end or at + CHORES_EVERY)
