"""The heads of tables that sort by a press on them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column's head: its title, where a press leads, and how it is sorted now.

    `aria_sort` is ``ascending``, ``descending`` or empty.
    """

    title: str
    url: str
    aria_sort: str
    hint: str


def head(
    name: str, title: str, by: str, *, descending: bool, first: bool, hint: str = "", **keep: str
) -> Head:
    """The head of the column `name` in a table sorted by `by`.

    A press sorts by the column, from the top down if `first`; pressed again it turns round.
    `keep` are the other parameters of the address.
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
