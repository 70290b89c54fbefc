"""What a worker does at intervals, besides deliveries."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings

from boards.registry.accounts.sign_ins import end_failed_sign_ins
from boards.registry.accounts.token_addresses import forget_token_addresses
from boards.registry.verification import verify_in_background
from boards.registry.webhooks.deliveries import publish_heads, sweep_deliveries

CHORES_EVERY = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def do_chores(at: datetime) -> datetime:
    """Publish the daily heads, record counted failed sign-ins, verify, and remove old rows.

    Returns when to do this again, which is not after `at` if there may be more to do.
    """
    publish_heads(at=at)
    forget_token_addresses(at=at)
    older_than = at - timedelta(days=settings.OBEYA_WEBHOOK_DAYS)
    counts_end = end_failed_sign_ins(at=at)
    try:
        verify_in_background(at=at)
    except Exception:
        # Deliveries do not wait until a log that cannot be read is repaired.
        logger.exception("The audit log could not be verified.")
    if sweep_deliveries(older_than=older_than):
        return at
    return min(at + CHORES_EVERY, counts_end or at + CHORES_EVERY)
