"""Reading of documents from other systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from obeya.errors import InvalidInput

T = TypeVar("T")
P = ParamSpec("P")

Document = Mapping[str, Any]


class MalformedDocument(ValueError):
    """A document does not have the expected kind."""


def reading(
    kind: str,
) -> Callable[[Callable[Concatenate[Document, P], T]], Callable[Concatenate[Document, P], T]]:
    """Convert every error of a reader to `MalformedDocument` with the kind of the document."""

    def decorate(
        read: Callable[Concatenate[Document, P], T],
    ) -> Callable[Concatenate[Document, P], T]:
        @wraps(read)
        def guarded(document: Document, /, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return read(document, *args, **kwargs)
            except MalformedDocument:
                raise
            except (KeyError, TypeError, ValueError, AttributeError, InvalidInput) as error:
                raise MalformedDocument(f"This is not a valid {kind}: {error!r}") from error

        return guarded

    return decorate


def written_time(moment: datetime) -> str:
    """Return a time in UTC, as ISO 8601."""
    return moment.astimezone(UTC).isoformat()


def read_time(text: str) -> datetime:
    """Read a time that `written_time` wrote, or any ISO 8601 time with a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)


def written_time_or_none(moment: datetime | None) -> str | None:
    """Like `written_time`; None is returned as None."""
    return None if moment is None else written_time(moment)


def read_time_or_none(text: str | None) -> datetime | None:
    """Like `read_time`; None is returned as None."""
    return None if text is None else read_time(text)
