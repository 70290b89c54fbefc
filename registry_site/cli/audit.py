"""`obeya audit`."""

from __future__ import annotations

from typing import Any

import click

from registry_site.cli._options import Misconfigured, database_options, set_up


@click.group
def audit() -> None:
    """The audit log."""


@audit.command
@database_options
def verify(**options: Any) -> None:
    """Recompute every chain of the audit log; exit with 1 if a link is broken."""
    set_up(**options)

    from django.db import DatabaseError

    from boards.queries.verification import verify_chains

    try:
        report = verify_chains()
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    for link in report.broken:
        click.echo(str(link), err=True)
    counted = f"{_several(report.chains, 'chain')}, {_several(report.events, 'event')}"
    if report.broken:
        click.echo(f"{counted}: {_several(len(report.broken), 'chain')} broken.", err=True)
        click.get_current_context().exit(1)
    click.echo(f"{counted}: every link holds.")


def _several(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
