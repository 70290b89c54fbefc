"""`obeya inspect`: inspect stored files again."""

from __future__ import annotations

from typing import Any

import click

from obeya.cli.options import database_options
from registry_site.cli._options import set_up_existing


@click.command
@click.option(
    "--all", "everything", is_flag=True, help="Inspect all files, not only outdated ones."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def inspect(*, everything: bool, as_json: bool, **options: Any) -> None:
    """Inspect the files of versions that an older version of Obeya inspected.

    The worker does this in the background. Each result that changes is recorded in the audit log.
    """
    set_up_existing(**options)

    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.registry.artifacts.inspection import (
        forget_inspections,
        inspect_version,
        outdated_versions,
    )
    from obeya.records import Channel

    if everything:
        forget_inspections()
    rows = []
    for pk in outdated_versions():
        version = inspect_version(pk=pk, actor=Actor(None, Channel.CLI), at=timezone.now())
        if version is None:
            continue
        rows.append(
            {
                "model": version.model,
                "version": version.number,
                "warnings": version.warnings,
                "changed": version.changed,
            }
        )
        if version.changed and not as_json:
            plural = "" if version.warnings == 1 else "s"
            click.echo(f"{version.model} v{version.number}: {version.warnings} warning{plural}")
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    changed = sum(bool(row["changed"]) for row in rows)
    click.echo(f"Versions inspected: {len(rows):,}. Changed results: {changed:,}.")
