"""The schedule of delivery attempts."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

BACK_OFF = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The pause between the previous attempt and each one; after the last the delivery has failed."""

JITTER = 0.2
"""The largest random extension of a pause, as a fraction of it: it spreads repeated attempts."""

DISABLED_AFTER = timedelta(days=5)
"""An endpoint without a successful delivery for this long is disabled."""

GONE = 410


class DeliveryStatus(StrEnum):
    """The status of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


def next_attempt_at(made: int, at: datetime, chance: float) -> datetime | None:
    """Return when the next attempt is due after `made` attempts, the last one at `at`.

    None if there are no more attempts. `chance`, from 0 to 1, is the fraction of the jitter to add.
    """
    if made >= len(BACK_OFF):
        return None
    return at + BACK_OFF[made] * (1 + JITTER * chance)
