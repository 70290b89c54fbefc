"""The part of `obeya audit` that reads the database."""

from __future__ import annotations

import sys
from typing import Any

import click

from obeya.audit.heads import ChainHead, heads_as_json
from obeya.cli.audit import conclude, several
from obeya.cli.options import database_options
from registry_site.cli._options import Misconfigured, set_up_existing


@click.group
def audit() -> None:
    """The audit log."""


@audit.command
@database_options
def verify(heads: tuple[ChainHead, ...] = (), **options: Any) -> None:
    """Recompute every chain, and compare the tables; `obeya.cli.audit` hands over to this."""
    set_up_existing(**options)

    from django.db import DatabaseError
    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.queries.verification.verification import verify_chains
    from boards.registry.verification import record_verification
    from obeya.records import Channel

    try:
        report = verify_chains(heads)
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    try:
        record_verification(report=report, actor=Actor(None, Channel.CLI), at=timezone.now())
    except DatabaseError as error:
        # A user with read-only access can verify too.
        click.echo(f"The result was not stored for the audit page: {error}", err=True)
    if report.partial:
        click.echo(
            f"{several(report.partial, 'row')} could be compared only in part: "
            f"{'its' if report.partial == 1 else 'their'} events do not state every column."
        )
    if report.erased:
        verb, digests = ("was", "its digest") if report.erased == 1 else ("were", "their digests")
        click.echo(f"{several(report.erased, 'text')} {verb} erased; the log still has {digests}.")
    conclude(
        report.chains,
        report.events,
        report.broken,
        report.kept,
        rows=report.rows,
        differences=report.differences,
        compared=len(heads),
    )


@audit.command
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("--model", metavar="NAME", help="Only the chain of this model.")
@database_options
def head(*, as_json: bool, model: str | None, **options: Any) -> None:
    """Print the head of every chain, to store elsewhere.

    One line per chain: its id, its length, the hash of its last event, and its model. `obeya audit
    verify --against` compares them later.
    """
    set_up_existing(**options)

    from django.db import DatabaseError

    from boards.queries.verification.verification_state import chain_heads

    try:
        heads = list(chain_heads(model))
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    if model is not None and not heads:
        raise click.UsageError(f"No model was ever named “{model[:64]}”.")
    if as_json:
        click.echo(heads_as_json(heads))
        return
    for each in heads:
        click.echo(str(each))


@audit.command
@click.option("--model", metavar="NAME", help="Only the events of this model.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, which can be verified, or CSV for spreadsheets.",
)
@database_options
def export(*, model: str | None, form: str, **options: Any) -> None:
    """Write the audit log to standard output, oldest event first."""
    set_up_existing(**options)

    from django.db import DatabaseError

    from boards.queries.audit.audit_export import ExportForm, export_lines
    from boards.queries.audit.audit_filter import AuditFilter

    # In the specified encoding, whatever the terminal uses.
    output = sys.stdout.buffer
    try:
        for line in export_lines(ExportForm(form), AuditFilter(model=model or "")):
            output.write(line.encode())
        output.flush()
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
