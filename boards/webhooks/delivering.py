"""Due deliveries: leased, sent in threads, and recorded as attempts.

The thread that calls a `Sender` uses the database; the others only send. So an attempt needs no
database connection, and attempts that end together are recorded together.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Self

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from boards.registry.webhooks import deliveries
from boards.registry.webhooks.deliveries import Attempt, Leased, Outcome
from boards.webhooks.sending import attempt, unexpected

# A worker sends to this many endpoints at their limit before another endpoint has to wait.
BUSY_ENDPOINTS = 8
# Longer than an attempt can take: a lease expires only if its worker has ended.
LEASE_SECONDS = 60

logger = logging.getLogger(__name__)


class Sender:
    """Sends due deliveries in threads, inside ``with``.

    `site` is the public address of this registry, for the links in messages. `wake` is set when an
    attempt has ended.
    """

    def __init__(self, *, site: str, wake: threading.Event) -> None:
        self._site = site
        self._wake = wake
        self._room = BUSY_ENDPOINTS * settings.OBEYA_WEBHOOK_CONCURRENCY
        self._pool = ThreadPoolExecutor(self._room, thread_name_prefix="delivery")
        self._under_way: dict[Future[Attempt], Leased] = {}
        self._unrecorded: list[Attempt] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the attempts in progress and record them."""
        try:
            self.record_ended()
            while self._under_way:
                wait(self._under_way, return_when=FIRST_COMPLETED)
                self.record_ended()
        except Exception:
            logger.exception("The last attempts were not recorded and will be repeated.")
        finally:
            self._pool.shutdown()

    def send_due(self) -> int:
        """Begin attempts of due deliveries, as many as threads are free; return their number."""
        leased = lease(self._room - len(self._under_way))
        for each in leased:
            try:
                future = self._pool.submit(send, each, site=self._site)
            except RuntimeError as error:
                # No thread can be started.
                self._unrecorded.append(_failed(each, error))
            else:
                self._under_way[future] = each
                future.add_done_callback(lambda _: self._wake.set())
        return len(leased)

    def record_ended(self) -> int:
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
