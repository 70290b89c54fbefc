"""Cells of CSV files that are opened in spreadsheets."""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: object) -> str:
    """Return the text of a cell; None is an empty cell.

    A text that a spreadsheet would read as a formula, or that could end its cell and begin a
    formula, gets an apostrophe in front. Numbers are not texts: they keep their sign and all their
    digits.
    """
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
