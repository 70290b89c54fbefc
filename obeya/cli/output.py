"""The output of commands: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from obeya.policy.bounds import number_text
from obeya.policy.requirements import Outcome
from obeya.policy.results import PolicyResult
from obeya.records import ModelVersion

_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.WAIVED: "yellow",
    Outcome.FAILED: "red",
    Outcome.MISSING: "red",
    Outcome.NOT_COMPARABLE: "red",
}


def say_json(document: Any) -> None:
    """Print a document as JSON."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table.

    Piped output has no colour and no truncation, and a tab between columns.
    """
    console = Console()
    listed = [[_plain(cell) for cell in row] for row in rows]
    if not console.is_terminal:
        for row in (list(columns), *listed):
            click.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in listed:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def say_policy_result(policy_result: PolicyResult) -> None:
    """Print each requirement of a policy result with its observation, and the summary sentence."""
    if policy_result.outcomes:
        console = Console()
        if console.is_terminal:
            table = Table(box=None, pad_edge=False, header_style="bold")
            for column in ("requirement", "outcome", "observed"):
                table.add_column(column)
            for row in policy_result.outcomes:
                table.add_row(
                    Text(row.requirement),
                    Text(outcome_word(row.outcome), style=_COLOURS[row.outcome]),
                    Text(row.sentence),
                )
            console.print(table)
        else:
            for row in policy_result.outcomes:
                click.echo(f"{outcome_word(row.outcome)}\t{row.requirement}\t{row.sentence}")
    click.echo(policy_result.sentence)


def outcome_word(outcome: Outcome) -> str:
    """Return the outcome in one or two words."""
    return outcome.value.replace("_", " ")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 version``, ``1,266 versions``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


UNCHECKED = " (imported, not checked)"


def stage_cell(version: ModelVersion) -> str:
    """Return the stage of a version, and whether an import placed it there without a check."""
    return f"{version.stage.label}{UNCHECKED * version.imported_unchecked}"


def version_line(version: ModelVersion) -> list[object]:
    """Return a version as a row: model, version, stage, label, metrics, registered."""
    metrics = ", ".join(
        f"{name}={number_text(value)}" for name, value in list(version.metrics.items())[:4]
    )
    more = len(version.metrics) - 4
    return [
        version.model,
        f"v{version.version}",
        stage_cell(version),
        version.label,
        metrics + (f" and {more} more" if more > 0 else ""),
        f"{version.created_at:%Y-%m-%d %H:%M}",
    ]


VERSION_COLUMNS = ("model", "version", "stage", "label", "metrics", "registered")


def _plain(cell: object) -> str:
    """Return one line without control characters for the terminal."""
    text = "" if cell is None else str(cell)
    return "".join(c if c.isprintable() else " " for c in text)
