"""`obeya policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from registry_site.cli._options import Misconfigured, database_options, set_up

WOULD_CHANGE = 10


class BadFile(click.ClickException):
    """A policy file that cannot be."""

    exit_code = 2


@click.group
def policy() -> None:
    """Promotion policies as a file."""


@policy.command
@database_options
def export(**options: Any) -> None:
    """Write the policies in force to standard output, as YAML."""
    set_up(**options)

    from django.db import DatabaseError

    from boards.queries.policies_in_force import policies_in_force
    from registry_site.policy_file import write_policies

    try:
        in_force = [(row.model, row.policy) for row in policies_in_force()]
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    click.echo(write_policies(in_force), nl=False)


@policy.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would change; exit status 10.")
@database_options
def apply(*, file: Path, dry_run: bool, **options: Any) -> None:
    """Make the policies of a YAML file those in force. Policies it does not name stay.

    All of them or none. Exit status 0: applied, or nothing to do; 10 with --dry-run: something
    would change; 2: the file cannot be.
    """
    set_up(**options)

    from django.db import DatabaseError

    from boards.queries.policies_in_force import policies_in_force, unknown_parts
    from registry_site.policy_file import PolicyFileError, read_policies

    try:
        wanted = read_policies(file.read_text("utf-8"))
        in_force = {(row.model, row.policy.stage): row.policy for row in policies_in_force()}
        problems = unknown_parts([(p.model, p.policy, p.line) for p in wanted])
    except PolicyFileError as error:
        raise BadFile(f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise BadFile(f"{file}: the file is no UTF-8 text.") from None
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    if problems:
        raise BadFile("\n".join(f"{file}: {problem}" for problem in problems))
    changes = [p for p in wanted if in_force.get((p.model, p.policy.stage)) != p.policy]
    for change in changes:
        _show(change.model, in_force.get((change.model, change.policy.stage)), change.policy)
    if not changes:
        click.echo("Nothing to change.")
    elif dry_run:
        raise SystemExit(WOULD_CHANGE)
    else:
        _make(changes)
        click.echo(f"{len(changes)} changed.")


def _show(model: str | None, old: Any, new: Any) -> None:
    click.echo(f"{model or 'the site'}, to enter {new.stage.label}:")
    before = old.lines if old else ()
    for line in new.lines:
        if line not in before:
            click.echo(f"  + {line}")
    for line in before:
        if line not in new.lines:
            click.echo(f"  - {line}")
    if set(before) == set(new.lines):
        click.echo("  in another order" if old else "  + asks for nothing")


def _make(changes: list[Any]) -> None:
    from django.db import transaction
    from django.utils import timezone

    from boards import registry
    from boards.registry import Actor
    from obeya.records import Channel

    with transaction.atomic():
        # Models first, by name, and the site last: the order in which every write holds rows.
        for change in sorted(changes, key=lambda c: (c.model is None, c.model or "")):
            registry.set_policy(
                policy=change.policy,
                name=change.model,
                actor=Actor(None, Channel.CLI),
                at=timezone.now(),
            )
