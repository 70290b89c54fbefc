"""The expiry of a waiver as its form states it: after some days, or on a date."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from obeya.errors import InvalidInput

DAYS = (7, 30, 90)
UNTIL = "date"
YEARS_MAX = 10
_ZONE_MAX = 64


def waiver_end(choice: str, day: str, zone: str, now: datetime) -> datetime:
    """Return the time at which the waiver ends; a date is included to its end.

    `choice` is one of `DAYS` as text, or `UNTIL` with the `day`. `zone` is the time zone of the
    date: the reader's, else the configured one.

    Raises:
        InvalidInput: nothing was chosen, or the date is invalid or not in the future.
    """
    if choice in map(str, DAYS):
        return now + timedelta(days=int(choice))
    if choice != UNTIL:
        raise InvalidInput("Choose when the waiver ends.", field="expires_at")
    try:
        end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time.min, _zone(zone))
        is_past = end <= now
        is_far = end > now + timedelta(days=366 * YEARS_MAX)
    except (ValueError, OverflowError):
        raise InvalidInput(
            "Enter the last day of the waiver, such as 2026-03-31.", field="expires_at"
        ) from None
    if is_past:
        raise InvalidInput("The expiry must be in the future.", field="expires_at")
    if is_far:
        raise InvalidInput(
            f"A waiver can last at most {YEARS_MAX} years. Change the policy instead.",
            field="expires_at",
        )
    return end


def _zone(name: str) -> ZoneInfo:
    """Return the zone of that name, else the configured one. The name comes from a browser."""
    if name and len(name) <= _ZONE_MAX:
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            pass
    return ZoneInfo(settings.TIME_ZONE)
