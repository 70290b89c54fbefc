"""Parse whole numbers of URLs and forms, with bounds, so that long digit strings do no harm."""

from __future__ import annotations

import re

from obeya.values import NUMBER_MAX

# The maximum id of a row, on both engines.
ID_MAX = 2**63 - 1

_WHOLE = re.compile(r"(-?)0*([0-9]+)\Z", re.ASCII)


def whole_number(text: str, *, at_least: int = 0, at_most: int = NUMBER_MAX) -> int | None:
    """Return the number that `text` contains in digits.

    None if it contains none or is out of bounds.

    Longer digit strings than the bounds have are not parsed: Python refuses thousands of digits,
    and databases refuse numbers that are too long for a column.
    """
    found = _WHOLE.match(text)
    if found is None or len(found[2]) > max(len(str(abs(at_least))), len(str(abs(at_most)))):
        return None
    number = int(found[1] + found[2])
    return number if at_least <= number <= at_most else None
