"""Reading documents that somebody else wrote."""

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
    """A document is not of the kind that it was taken for."""


def reading(
    kind: str,
) -> Callable[[Callable[Concatenate[Document, P], T]], Callable[Concatenate[Document, P], T]]:
    """Let whatever is wrong with a document end as `MalformedDocument` that names its kind."""

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
                raise MalformedDocument(f"This is no {kind}: {error!r}") from error

        return guarded

    return decorate


def written_time(moment: datetime) -> str:
    """A moment in UTC, as ISO 8601."""
    return moment.astimezone(UTC).isoformat()


def read_time(text: str) -> datetime:
    """The moment that `written_time` wrote, or anybody else with a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)


def written_time_or_none(moment: datetime | None) -> str | None:
    """As `written_time`; None stays None."""
    return None if moment is None else written_time(moment)


def read_time_or_none(text: str | None) -> datetime | None:
    """As `read_time`; None stays None."""
    return None if text is None else read_time(text)
