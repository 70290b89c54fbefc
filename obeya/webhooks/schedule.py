"""When a delivery is tried, tried again, and given up."""

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
"""How long after the attempt before each one is made; after the last the delivery has failed."""

JITTER = 0.2
"""By how much of itself a wait may be longer: what failed together is not tried together."""

DISABLED_AFTER = timedelta(days=5)
"""An endpoint at which nothing arrived for so long is disabled."""

GONE = 410


class DeliveryStatus(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        """The status for people."""
        return _LABELS[self]


_LABELS = {
    DeliveryStatus.PENDING: "on its way",
    DeliveryStatus.DELIVERED: "arrived",
    DeliveryStatus.FAILED: "failed",
    DeliveryStatus.CANCELLED: "cancelled",
}


def next_attempt_at(made: int, at: datetime, chance: float) -> datetime | None:
    """When the next attempt is due after `made` of them, the last one at `at`; None for never.

    `chance` from 0 to 1 says by how much of the jitter it is later.
    """
    if made >= len(BACK_OFF):
        return None
    return at + BACK_OFF[made] * (1 + JITTER * chance)
