"""How numbers, differences and times are written on every page."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from obeya.comparison import DiffOutcome, MetricDiff
from obeya.policies import number_text

register = template.Library()

SIGNIFICANT = 4
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_ARROWS = {
    DiffOutcome.WITHIN_NOISE: "≈",
    DiffOutcome.EQUAL: "=",
    DiffOutcome.NOT_COMPARABLE: "≠",
}
_WORDS = {
    DiffOutcome.BETTER: "better",
    DiffOutcome.WORSE: "worse",
    DiffOutcome.EQUAL: "equal",
    DiffOutcome.WITHIN_NOISE: "within noise",
    DiffOutcome.CHANGED: "changed",
    DiffOutcome.NOT_COMPARABLE: "not comparable: measured on different datasets",
    DiffOutcome.ONLY_A: "only the first has it",
    DiffOutcome.ONLY_B: "only the second has it",
}


@register.filter
def short(value: float | None) -> str:
    """At most four significant digits, thousands separated; a dash for None."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        text = f"{value:.{SIGNIFICANT - 1}g}"
    elif size >= 10 ** (SIGNIFICANT - 1):
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{SIGNIFICANT}g}"
    return text.replace("-", "−")


@register.filter
def full(value: float | None) -> str:
    """All digits of a number; a dash for None."""
    return "–" if value is None else number_text(value).replace("-", "−")


@register.filter
def signed(value: float | None) -> str:
    """A difference with its sign: ``+0.8``, ``−1.2``, ``0``."""
    if value is None:
        return "–"
    return f"+{short(value)}" if value > 0 else short(value)


@register.filter
def percent(value: float | None) -> str:
    """A percent change with its sign; says where it is undefined."""
    return "undefined" if value is None else f"{signed(value)} %"


@register.simple_tag
def diff(metric_diff: MetricDiff | None) -> SafeString:
    """A difference as arrow, sign and number; the words and the percentage in its title."""
    if metric_diff is None:
        return SafeString("")
    outcome, difference = metric_diff.outcome, metric_diff.difference
    arrow = _ARROWS.get(outcome) or ("↑" if (difference or 0) > 0 else "↓")
    if difference is None:
        return format_html(
            '<span class="diff" title="{}">{}</span>', _WORDS[outcome].capitalize(), arrow
        )
    unit = metric_diff.definition.unit
    title = (
        (
            f"{_WORDS[outcome].capitalize()} than the champion: "
            if outcome in (DiffOutcome.BETTER, DiffOutcome.WORSE)
            else f"{_WORDS[outcome].capitalize()}: "
        )
        + f"{signed(difference)} {unit}".strip()
        + f" ({percent(metric_diff.percent_change)})"
    )
    return format_html(
        '<span class="diff diff-{}" title="{}">{} {}'
        '<span class="visually-hidden"> {}</span></span>',
        outcome.value,
        title,
        arrow,
        signed(difference),
        _WORDS[outcome],
    )


@register.filter
def outcome_word(outcome: DiffOutcome) -> str:
    """The outcome of a comparison in words."""
    return _WORDS[outcome]


@register.filter
def age(moment: datetime) -> str:
    """How long ago, in the largest whole unit: ``3 d``, ``2 h``, ``5 min``, ``now``."""
    seconds = (timezone.now() - moment) / timedelta(seconds=1)
    if seconds < _MINUTE:
        return "now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h"
    days = seconds // _DAY
    return f"{days:.0f} d" if days < 365 else f"{days / 365.25:.1f} y"


@register.simple_tag
def ago(moment: datetime) -> SafeString:
    """A moment as its age, the exact time with zone in its title."""
    return _time(moment, age(moment))


@register.simple_tag
def exact(moment: datetime) -> SafeString:
    """A moment to the minute, the seconds and the zone in its title."""
    return _time(moment, timezone.localtime(moment).strftime("%Y-%m-%d %H:%M"))


def _time(moment: datetime, text: str) -> SafeString:
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        text,
    )
