"""When a waiver ends, as its form says it: after some days, or with a day of a calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from obeya.errors import InvalidInput

DAYS = (7, 30, 90)
UNTIL = "date"
YEARS_MAX = 10
_ZONE_MAX = 64


@dataclass(frozen=True, slots=True)
class Expiry:
    """What was chosen. `choice` is one of `DAYS` as text, or `UNTIL` with the `day`.

    `zone` is the time zone of whose calendar the day is: the reader's, which their browser
    states, else the site's.
    """

    choice: str
    day: str
    zone: str

    @classmethod
    def of_new(cls) -> Expiry:
        """What a new form shows: the shortest."""
        return cls(str(DAYS[0]), "", "")

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Expiry:
        """The fields of a form that was sent."""
        return cls(
            values.get("expires", ""),
            values.get("expires_on", "").strip(),
            values.get("time_zone", "").strip(),
        )

    @property
    def site_zone(self) -> str:
        """The zone that counts where the browser says nothing."""
        return str(settings.TIME_ZONE)

    def moment(self, now: datetime) -> datetime:
        """The moment at which the waiver ends; a day is included to its end.

        Raises:
            InvalidInput: nothing was chosen, or the day is none or not in the future.
        """
        if self.choice in map(str, DAYS):
            return now + timedelta(days=int(self.choice))
        if self.choice != UNTIL:
            raise InvalidInput("Choose when the waiver ends.", field="expires_at")
        try:
            day = date.fromisoformat(self.day)
            end = datetime.combine(day + timedelta(days=1), time.min, _zone(self.zone))
            is_past = end <= now
            is_far = end > now + timedelta(days=366 * YEARS_MAX)
        except (ValueError, OverflowError):
            raise InvalidInput(
                "Name the last day of the waiver, such as 2026-03-31.", field="expires_at"
            ) from None
        if is_past:
            raise InvalidInput("The expiry must be in the future.", field="expires_at")
        if is_far:
            raise InvalidInput(
                f"A waiver lasts {YEARS_MAX} years at most; change the policy instead.",
                field="expires_at",
            )
        return end


def _zone(name: str) -> ZoneInfo:
    """The zone of that name, else the site's; what a browser sends is taken for a name only."""
    if name and len(name) <= _ZONE_MAX:
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            pass
    return ZoneInfo(settings.TIME_ZONE)
