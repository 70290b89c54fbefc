"""A comparison as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from boards.queries.compare.compare_page import ComparePage, Side
from obeya.comparison import MetricRow
from obeya.csv_cells import csv_cell
from obeya.metrics import Metric

COLUMNS = (
    "metric",
    "version",
    "value",
    "baseline",
    "baseline_value",
    "difference",
    "percent_change",
    "outcome",
    "direction",
    "unit",
    "dataset",
    "samples",
    "standard_error",
)
_NAME_MAX = 80

Cell = str | float | None


def comparison_csv(page: ComparePage, *, only_differences: bool = False) -> str:
    """Return a header, then a line for each metric and challenger, if either side was measured.

    Numbers have all their digits; missing or undefined values are empty cells.
    """
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    for row in page.different if only_differences else page.comparison.rows:
        for line in _lines(page, row):
            writer.writerow([csv_cell(cell) for cell in line])
    return lines.getvalue()


def file_name(page: ComparePage) -> str:
    """Return a file name that is valid in every file system and header."""
    names = "-".join(str(ref).replace(":", "-v") for ref in page.refs)
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", names).strip("-.")[:_NAME_MAX].rstrip("-.")
    return f"compare-{plain}.csv" if plain else "compare.csv"


def _lines(page: ComparePage, row: MetricRow) -> Iterator[tuple[Cell, ...]]:
    for side, diff in zip(page.challengers, row.diffs, strict=True):
        if diff is None:
            continue
        measured: Metric | None = diff.b
        yield (
            row.definition.name,
            _ref(page, side),
            measured.value if measured else None,
            _ref(page, page.sides[0]),
            row.baseline.value if row.baseline else None,
            diff.difference,
            diff.percent_change,
            diff.outcome.value,
            row.definition.direction.value,
            row.definition.unit,
            measured.dataset if measured else "",
            measured.samples if measured else None,
            measured.standard_error if measured else None,
        )


def _ref(page: ComparePage, side: Side) -> str:
    return str(page.refs[side.place])
