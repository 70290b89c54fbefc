"""Headings of sortable table columns."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column's heading: its title, the URL of its link, and the current order.

    `aria_sort` is ``ascending``, ``descending`` or empty.
    """

    title: str
    url: str
    aria_sort: str
    hint: str


def head(
    name: str, title: str, by: str, *, descending: bool, first: bool, hint: str = "", **keep: str
) -> Head:
    """Return the heading of the column `name` in a table sorted by `by`.

    The link sorts by the column, descending if `first`; if the table is sorted by it already, the
    link reverses the order. `keep` are the other parameters of the URL.
    """
    sorted_now = name == by
    turn = not descending if sorted_now else first
    parameters = {**keep, "sort": f"-{name}" if turn else name}
    aria = ("descending" if descending else "ascending") if sorted_now else ""
    return Head(
        title=title,
        url="?" + urlencode({k: v for k, v in parameters.items() if v}),
        aria_sort=aria,
        hint=hint,
    )
