"""The loop of a worker: takes what is due, sends it, and says what came of it."""

from __future__ import annotations

import logging
import random
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from threading import Event

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.utils import timezone

from boards.registry import deliveries
from boards.registry.deliveries import Leased
from boards.webhooks.sending import attempt

AT_ONCE = 32
PER_WEBHOOK = 4
# Longer than an attempt can take, so that a lease is over only where its worker is gone.
LEASE_SECONDS = 60
PAUSE_SECONDS = 0.5
CHORES_EVERY = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def run(*, site: str, stopping: Event) -> None:
    """Send until `stopping` is set; what is under way then is finished first.

    `site` is where people find this registry, for the links in messages.
    """
    under_way: set[Future[None]] = set()
    chores_at = timezone.now()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="delivery") as pool:
        while not stopping.is_set():
            under_way = {each for each in under_way if not each.done()}
            taken = 0
            try:
                if timezone.now() >= chores_at:
                    do_chores()
                    chores_at = timezone.now() + CHORES_EVERY
                for leased in take(AT_ONCE - len(under_way)):
                    under_way.add(pool.submit(deliver, leased, site=site))
                    taken += 1
            except (DatabaseError, InterfaceError):
                logger.exception("The database does not answer; the worker goes on trying.")
                connections.close_all()
            close_old_connections()
            if not taken:
                stopping.wait(PAUSE_SECONDS)
    connections.close_all()


def take(room: int) -> list[Leased]:
    """What is due now, as much as there is room for."""
    if room <= 0:
        return []
    return deliveries.lease_due(
        limit=room, per_webhook=PER_WEBHOOK, seconds=LEASE_SECONDS, at=timezone.now()
    )


def deliver(leased: Leased, *, site: str) -> None:
    """One attempt of a delivery, in a thread of its own."""
    try:
        outcome = attempt(leased, site=site, at=timezone.now())
        # Spreads retries; nothing is secret about it.
        chance = random.random()  # noqa: S311
        deliveries.record_attempt(leased=leased, outcome=outcome, chance=chance, at=timezone.now())
    except Exception:
        # The lease runs out and the delivery is taken again.
        logger.exception("The delivery of %s broke.", leased.message.message_id)
    finally:
        connections.close_all()


def do_chores() -> None:
    """What a worker does beside sending: the daily heads, and tidying up."""
    at = timezone.now()
    deliveries.publish_heads(at=at)
    older_than = at - timedelta(days=settings.OBEYA_WEBHOOK_DAYS)
    while deliveries.sweep_deliveries(older_than=older_than):
        pass
