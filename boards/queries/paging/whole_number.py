"""Whole numbers out of addresses and forms, bounded so that no length of digits does harm."""

from __future__ import annotations

import re

from obeya.values import NUMBER_MAX

# What the id of a row can be, on either engine.
ID_MAX = 2**63 - 1

_WHOLE = re.compile(r"(-?)0*([0-9]+)\Z", re.ASCII)


def whole_number(text: str, *, at_least: int = 0, at_most: int = NUMBER_MAX) -> int | None:
    """The number that `text` writes in digits; None where it writes none, or one out of bounds.

    More digits than the bounds have are never read: Python refuses to read thousands of them, and
    databases those of a number that is too long for a column.
    """
    found = _WHOLE.match(text)
    if found is None or len(found[2]) > max(len(str(abs(at_least))), len(str(abs(at_most)))):
        return None
    number = int(found[1] + found[2])
    return number if at_least <= number <= at_most else None
