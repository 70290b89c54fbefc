"""Cursors for pages that are sorted by a time and an id, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from boards.queries.paging.whole_number import ID_MAX, whole_number
from obeya.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def microseconds(moment: datetime) -> int:
    """How many microseconds after the beginning of 1970 a moment is; `LATEST` is the last."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_at(since: int) -> datetime:
    """The moment so many microseconds after the beginning of 1970."""
    return _EPOCH + since * _MICROSECOND


def broken_link() -> InvalidInput:
    """The error for the link to a further page that was not made here."""
    return InvalidInput("That page link is broken; start from the top.", field="after")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place just after a row: its time, to the microsecond, and its id."""

    moment: datetime
    pk: int

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read what `str` wrote; None for an empty text.

        Raises:
            InvalidInput: it is no cursor.
        """
        if not text:
            return None
        micros, _, pk = text.partition(".")
        since, last = whole_number(micros, at_most=LATEST), whole_number(pk, at_most=ID_MAX)
        if since is None or last is None:
            raise broken_link()
        return cls(moment_at(since), last)

    def __str__(self) -> str:
        return f"{microseconds(self.moment)}.{self.pk}"

    def older(self, field: str) -> Q:
        """The rows after this place in the order ``-field, -id``."""
        # The first condition alone is implied by the second; it is what an index can seek by.
        return Q(**{f"{field}__lte": self.moment}) & (
            Q(**{f"{field}__lt": self.moment}) | Q(pk__lt=self.pk)
        )

    def newer(self, field: str) -> Q:
        """The rows after this place in the order ``field, id``, which is the other way round."""
        return Q(**{f"{field}__gte": self.moment}) & (
            Q(**{f"{field}__gt": self.moment}) | Q(pk__gt=self.pk)
        )
