"""Cells of CSV files that people open in spreadsheets."""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: object) -> str:
    """Return the text of a cell; None is an empty cell.

    An apostrophe is put before a text that a spreadsheet would take for a formula, or that could
    leave its cell and begin one. Numbers are not texts: they keep their sign and all their digits.
    """
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
