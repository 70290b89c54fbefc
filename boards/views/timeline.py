"""The layout of time spans as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from boards.queries.catalog.model_page import ProductionSpan

WIDTH = 720
ROW = 22
BARS_MAX = 12
SHORTEST = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One span, in the units of the drawing."""

    span: ProductionSpan
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The latest spans, one row for each version, from the oldest shown to now."""

    bars: tuple[Bar, ...]
    versions: tuple[int, ...]
    since: datetime
    until: datetime
    height: int
    width: int = WIDTH
    hidden: int = 0


def timeline(spans: Sequence[ProductionSpan]) -> Timeline | None:
    """Return the layout of the latest spans; None if no version was ever in Production."""
    if not spans:
        return None
    shown = list(spans)[-BARS_MAX:]
    until = timezone.now()
    since = min(span.since for span in shown)
    length = max(until - since, timedelta(seconds=1))
    numbers = sorted({span.version for span in shown}, reverse=True)
    rows = {number: place * ROW for place, number in enumerate(numbers)}

    def across(moment: datetime) -> float:
        return WIDTH * ((moment - since) / length)

    bars = []
    for span in shown:
        start, end = across(span.since), across(span.until or until)
        width = max(end - start, SHORTEST)
        x = min(start, WIDTH - width)
        bars.append(Bar(span=span, x=round(x, 1), y=rows[span.version], width=round(width, 1)))
    return Timeline(
        bars=tuple(bars),
        versions=tuple(numbers),
        since=since,
        until=until,
        height=ROW * len(numbers),
        hidden=len(spans) - len(shown),
    )
