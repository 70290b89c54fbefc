"""Cursors for pages that are sorted by a time and an id, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from obeya.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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
        micros, dot, pk = text.partition(".")
        if not (dot and micros.isascii() and micros.isdigit() and pk.isascii() and pk.isdigit()):
            raise InvalidInput("That page link is broken; start from the top.", field="after")
        try:
            moment, last = _EPOCH + int(micros) * _MICROSECOND, int(pk)
        except (OverflowError, ValueError):
            raise InvalidInput(
                "That page link is broken; start from the top.", field="after"
            ) from None
        if last >= 2**63:
            raise InvalidInput("That page link is broken; start from the top.", field="after")
        return cls(moment, last)

    def __str__(self) -> str:
        return f"{(self.moment - _EPOCH) // _MICROSECOND}.{self.pk}"

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
