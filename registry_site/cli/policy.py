"""`obeya policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from obeya import names
from obeya.errors import Conflict
from obeya.policies import PromotionPolicy
from registry_site.cli._options import Misconfigured, database_options, set_up_existing

WOULD_CHANGE = 10


class BadFile(click.ClickException):
    """A policy file that cannot be."""

    exit_code = 2


class ChangedMeanwhile(click.ClickException):
    """Somebody made another revision between the reading and the writing."""

    exit_code = 4


@click.group
def policy() -> None:
    """Promotion policies as a file."""


@policy.command
@database_options
def export(**options: Any) -> None:
    """Write the policies in force to standard output, as YAML."""
    set_up_existing(**options)

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
    would change; 2: the file cannot be; 4: a policy was changed meanwhile.
    """
    set_up_existing(**options)

    from django.db import DatabaseError

    from boards.queries.policies_in_force import policies_in_force, unknown_parts
    from registry_site.policy_file import PolicyFileError, read_policies

    try:
        wanted = read_policies(file.read_text("utf-8"))
        in_force = {(row.model, row.policy.stage): row for row in policies_in_force()}
        problems = unknown_parts([(p.model, p.policy, p.line) for p in wanted])
    except PolicyFileError as error:
        raise BadFile(f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise BadFile(f"{file}: the file is no UTF-8 text.") from None
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    if problems:
        raise BadFile("\n".join(f"{file}: {problem}" for problem in problems))
    changes = []
    for entry in wanted:
        model = None if entry.model is None else names.stored_form(entry.model)
        present = in_force.get((model, entry.policy.stage))
        if present is None or not present.policy.asks_the_same_as(entry.policy):
            _show(model, present.policy if present else None, entry.policy)
            changes.append((model, entry.policy, present.revision if present else 0))
    if not changes:
        click.echo("Nothing to change.")
    elif dry_run:
        raise SystemExit(WOULD_CHANGE)
    else:
        try:
            _make(changes)
        except Conflict as error:
            raise ChangedMeanwhile(f"{error} Nothing was applied; run it again.") from None
        click.echo(f"{len(changes)} changed.")


def _show(model: str | None, old: PromotionPolicy | None, new: PromotionPolicy) -> None:
    stage = f", to enter {new.stage.label}" if new.stage else ""
    click.echo(f"{model or 'the site'}{stage}:")
    before = old.lines if old else ()
    for line in new.lines:
        if line not in before:
            click.echo(f"  + {line}")
    for line in before:
        if line not in new.lines:
            click.echo(f"  - {line}")
    if not before and not new.lines:
        click.echo("  + asks for nothing")


def _make(changes: list[tuple[str | None, PromotionPolicy, int]]) -> None:
    from django.db import transaction
    from django.utils import timezone

    from boards import registry
    from boards.registry import Actor
    from obeya.records import Channel

    with transaction.atomic():
        # Models first, by name, and the site last: the order in which every write holds rows.
        for model, policy, revision in sorted(changes, key=lambda c: (c[0] is None, c[0] or "")):
            registry.set_policy(
                policy=policy,
                name=model,
                expected_revision=revision,
                actor=Actor(None, Channel.CLI),
                at=timezone.now(),
            )
