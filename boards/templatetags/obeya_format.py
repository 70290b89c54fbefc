"""The format of numbers, differences and times on all pages."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from obeya.comparison import DiffOutcome, MetricDiff, MetricRow, VersionComparison
from obeya.policy.bounds import full_number, short_number

register = template.Library()

_MAY_BREAK = SafeString("<wbr>")
# From the first to the last of several right-to-left letters, with what is between their words.
_LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
_RIGHT_TO_LEFT = re.compile(f"({_LETTER}(?:[^A-Za-z0-9\\n“”]*{_LETTER})?)")
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Half the width of a change bar, in pixels.
_BAR = 48
_ARROWS = {
    DiffOutcome.WITHIN_NOISE: "≈",
    DiffOutcome.EQUAL: "=",
    DiffOutcome.NOT_COMPARABLE: "≠",
}
# Better and worse without colour; the hidden words say the same.
_MARKS = {DiffOutcome.BETTER: "✓", DiffOutcome.WORSE: "✗"}
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
# The same for a table column whose heading says what is compared with what.
_SHORT_WORDS = {
    **_WORDS,
    DiffOutcome.NOT_COMPARABLE: "not comparable",
    DiffOutcome.ONLY_A: "not measured",
    DiffOutcome.ONLY_B: "only here",
}


@register.filter
def short(value: float | None) -> str:
    """Return at most four significant digits, thousands separated; a dash for None."""
    return "–" if value is None else short_number(value).replace("-", "−")


@register.filter
def full(value: float | None) -> str:
    """Return all digits of a number, thousands separated; a dash for None."""
    return "–" if value is None else full_number(value).replace("-", "−")


@register.filter
def signed(value: float | None) -> str:
    """Return a difference with its sign: ``+0.8``, ``−1.2``, ``0``."""
    if value is None:
        return "–"
    return f"+{short(value)}" if value > 0 else short(value)


@register.filter
def percent(value: float | None) -> str:
    """Return a percent change with its sign, or that it is undefined."""
    return "undefined" if value is None else f"{signed(value)} %"


@register.simple_tag
def diff(
    metric_diff: MetricDiff | None, against: str = "the champion", *, with_unit: bool = True
) -> SafeString:
    """Return a difference as arrow, sign, number and unit; words and percentage are in its title.

    `against` says what it is a difference from. Leave out the unit where the heading has it.
    """
    if metric_diff is None:
        return SafeString("")
    outcome, difference = metric_diff.outcome, metric_diff.difference
    arrow = _ARROWS.get(outcome) or ("↑" if (difference or 0) > 0 else "↓")
    if difference is None:
        return format_html(
            '<span class="diff" title="{}">{}</span>', _WORDS[outcome].capitalize(), arrow
        )
    # A difference between two percentages is not a percentage of either.
    unit = "points" if metric_diff.definition.unit == "%" else metric_diff.definition.unit
    title = (
        (
            f"{_WORDS[outcome].capitalize()} than {against}: "
            if outcome in (DiffOutcome.BETTER, DiffOutcome.WORSE)
            else f"{_WORDS[outcome].capitalize()}: "
        )
        + f"{signed(difference)} {unit}".strip()
        + f" ({percent(metric_diff.percent_change)})"
    )
    mark = _MARKS.get(outcome)
    return format_html(
        '<span class="diff diff-{}" title="{}">{} {}{}{}'
        '<span class="visually-hidden"> {}</span></span>',
        outcome.value,
        title,
        arrow,
        signed(difference),
        format_html(' <span class="unit">{}</span>', unit)
        if with_unit and unit and difference
        else "",
        format_html(' <span aria-hidden="true">{}</span>', mark) if mark else "",
        _WORDS[outcome],
    )


@register.filter
def bdi(text: object) -> SafeString:
    """Return a user's text whose direction does not change the order of the text around it."""
    return format_html("<bdi>{}</bdi>", text) if str(text) else SafeString("")


@register.filter
def sentence(text: object) -> SafeString:
    """Return a sentence in which names in right-to-left scripts do not change the order of words.

    A user's text of several paragraphs counts as sentences. HTML is returned unchanged.
    """
    if isinstance(text, SafeString):
        return text
    parts = _RIGHT_TO_LEFT.split(str(text))
    return format_html_join(
        "", "{}", ((bdi(part) if place % 2 else part,) for place, part in enumerate(parts))
    )


@register.filter(is_safe=True)
def isolated(text: object) -> str:
    """Return the text of a title, in which `sentence` would show its elements as text.

    Characters isolate the right-to-left names instead.
    """
    return _RIGHT_TO_LEFT.sub("\u2068\\1\u2069", str(text))


@register.filter
def breakable(name: str) -> SafeString:
    """Return a name like `bdi`, which can break after underscores and hyphens, not inside words."""
    parts = re.split(r"(?<=[_-])", name)
    return bdi(format_html_join(_MAY_BREAK, "{}", ((part,) for part in parts)))


@register.filter
def unbroken(requirement: str) -> str:
    """Return a requirement whose bound, such as ``≥ champion − 5 %``, is on one line."""
    return re.sub(r"(?<=[≥≤<>=−+]) | (?=[−+%])", "\N{NO-BREAK SPACE}", requirement)


@register.filter
def outcome_word(outcome: DiffOutcome) -> str:
    """Return the outcome of a comparison in words."""
    return _WORDS[outcome]


@register.filter
def outcome_short(outcome: DiffOutcome) -> str:
    """Return the outcome in one or two words, for the column of a version beside a baseline."""
    return _SHORT_WORDS[outcome]


@register.filter
def count(comparison: VersionComparison, outcome: str) -> int:
    """Return in how many of the compared metrics a version has this outcome."""
    return comparison.count(DiffOutcome(outcome))


@register.filter
def with_shares(row: MetricRow) -> list[tuple[MetricDiff | None, float | None]]:
    """Return the diffs of a row, each with the length of its bar."""
    return list(zip(row.diffs, row.shares, strict=True))


@register.simple_tag
def change_bar(share: float | None, outcome: DiffOutcome) -> SafeString:
    """Return a bar from a centre line: to the right if the value rose, to the left if it fell.

    `share` is its length, −1 to 1; None if there is no percent change, which draws only the line.
    Better is filled, worse hatched, everything else hollow, so that it is readable without colour.
    """
    length = 0 if share is None else round(abs(share) * _BAR)
    if share and not length:
        length = 1
    return format_html(
        '<svg class="bar bar-{}" viewBox="{} 0 {} 12" width="{}" height="12" aria-hidden="true">'
        '<path class="bar-centre" d="M0 0v12"/><rect x="{}" y="2" width="{}" height="8"/></svg>',
        outcome.value,
        -_BAR - 1,
        2 * _BAR + 2,
        2 * _BAR + 2,
        -length if (share or 0) < 0 else 0,
        length,
    )


@register.filter
def age(moment: datetime) -> str:
    """Return the age in the largest whole unit: ``3 d``, ``2 h``, ``5 min``, ``now``."""
    seconds = (timezone.now() - moment) / timedelta(seconds=1)
    if seconds < _MINUTE:
        return "now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h"
    days = seconds // _DAY
    return f"{days:.0f} d" if days < 366 else f"{(days / 365.25):.1f} y".replace(".0 y", " y")


@register.filter
def ago_in_words(moment: datetime) -> SafeString:
    """Return the age within a sentence: ``3 d ago``, ``just now``."""
    text = age(moment)
    return _time(moment, "just now" if text == "now" else f"{text} ago")


@register.filter
def in_stage(moment: datetime) -> SafeString:
    """Return the time since a version entered its stage: ``3 d``; hidden words say what it is."""
    text = age(moment)
    words = "in this stage since just" if text == "now" else "in this stage for"
    title = f"{words} {text}".capitalize()
    return format_html(
        '<span class="visually-hidden">{} </span>{}', words, _time(moment, text, f"{title}: ")
    )


@register.filter
def since(moment: datetime) -> SafeString:
    """Return how long something has been so: ``for 3 d``, ``since just now``."""
    text = age(moment)
    return _time(moment, "since just now" if text == "now" else f"for {text}")


@register.filter
def exact(moment: datetime) -> SafeString:
    """Return a time to the minute with its zone; the title has the seconds."""
    return _time(moment, timezone.localtime(moment).strftime("%Y-%m-%d %H:%M %Z"))


def _time(moment: datetime, text: str, explained: str = "") -> SafeString:
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}{}">{}</time>',
        moment.isoformat(),
        explained,
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        text,
    )
