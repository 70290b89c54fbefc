"""The part of `obeya policy` that reads and writes the database."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from obeya.cli.options import database_options
from obeya.cli.policy import Change, PolicyChange, apply_file, read_file, refuse_unknown
from obeya.policy.file import write_policy_file
from registry_site.cli._options import Misconfigured, set_up_existing


@click.group
def policy() -> None:
    """Promotion policies and governed aliases as a file."""


@policy.command
@database_options
def export(**options: Any) -> None:
    """Write the policies in force to standard output; `obeya.cli.policy` hands over to this."""
    set_up_existing(**options)

    from django.db import DatabaseError

    from boards.queries.facts.governed_aliases import configured_aliases
    from boards.queries.facts.policies_in_force import policies_in_force

    try:
        in_force = [(model, each.policy) for model, each in policies_in_force()]
        governed = configured_aliases()
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    click.echo(write_policy_file(in_force, governed), nl=False)


@policy.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True)
@database_options
def apply(*, file: Path, dry_run: bool, **options: Any) -> None:
    """Put the policies of a file in force, all or none; see `obeya.cli.policy`."""
    set_up_existing(**options)

    from django.db import DatabaseError

    from boards.queries.facts.governed_aliases import configured_aliases
    from boards.queries.facts.policies_in_force import policies_in_force
    from boards.queries.policies.policy_file import unknown_metrics, unknown_models

    wanted = read_file(file)
    try:
        found, governed = policies_in_force(), configured_aliases()
        no_models = unknown_models(wanted.models)
        no_metrics = unknown_metrics(
            named
            for p in wanted.policies
            for named in sorted(p.metric_lines.items(), key=itemgetter(1))
        )
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    refuse_unknown(file, no_models, no_metrics)
    in_force = {(model, each.policy.stage): (each.policy, each.revision) for model, each in found}
    apply_file(wanted, in_force, governed, _make, dry_run=dry_run)


def _make(changes: Sequence[Change]) -> None:
    from django.db import transaction
    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.registry.policies.governed_aliases import set_governed_alias
    from boards.registry.policies.policies import set_policy
    from obeya.records import Channel

    actor, at = Actor(None, Channel.CLI), timezone.now()
    with transaction.atomic():
        # Models first, by name, and the defaults last: the order in which every write locks rows.
        for change in sorted(changes, key=lambda c: (c.model is None, c.model or "")):
            if isinstance(change, PolicyChange):
                set_policy(
                    policy=change.policy,
                    name=change.model,
                    expected_revision=change.revision,
                    actor=actor,
                    at=at,
                )
            else:
                set_governed_alias(governed=change.governed, name=change.model, actor=actor, at=at)
