"""`obeya alias`: aliases of versions, and the alias names that are governed."""

from __future__ import annotations

import click

from obeya.aliases.governed import AliasMode, AliasSource, GovernedAlias
from obeya.cli.connection import STAGE, Session, connected, named_model, named_version
from obeya.cli.options import ALLOW_SIMILAR
from obeya.cli.output import say_json, say_table
from obeya.documents.governance import governed_alias_document
from obeya.stages import Stage

FOR_MODEL = click.option(
    "--model", metavar="NAME", show_default="all models", help="Only for this model."
)
ALIAS = click.argument("alias")


@click.group
def alias() -> None:
    """Manage aliases, and the alias names that are bound to a stage."""


@alias.command("list")
@click.option(
    "--model",
    metavar="NAME",
    show_default="the defaults",
    help="Its aliases and what governs them.",
)
@connected
def list_(session: Session, model: str | None) -> None:
    """List aliases with their versions, and how alias names are governed."""
    governed = session.registry.get_governed_aliases(model)
    aliases = session.registry.get_model(model).aliases if model is not None else {}
    if session.as_json:
        items = [
            governed_alias_document(each, model if each.source is AliasSource.MODEL else None)
            for each in governed
        ]
        say_json({"aliases": dict(aliases), "governed_aliases": items})
        return
    by_name = {each.alias: each for each in governed}
    by_name |= {name: each for name in aliases for each in governed if each.covers(name)}
    say_table(
        ("alias", "version", "governed", "configured in"),
        (
            [
                name,
                f"v{aliases[name]}" if name in aliases else "",
                by_name[name].describe() if name in by_name else "",
                str(by_name[name].source or "") if name in by_name else "",
            ]
            for name in sorted({*by_name, *aliases})
        ),
    )


@alias.command("set")
@ALIAS
@named_version
@ALLOW_SIMILAR
@connected
def set_(session: Session, alias: str, model: str, version: str, *, allow_similar: bool) -> None:
    """Point ALIAS to a version. A governed alias can only point to where it belongs."""
    found = session.version(model, version)
    session.registry.set_alias(model, alias, found.version, allow_similar=allow_similar)
    if session.as_json:
        say_json({"alias": alias, "model": model, "version": found.version})
    else:
        click.echo(f"{alias} points to {found}.")


@alias.command
@ALIAS
@named_model
@connected
def delete(session: Session, alias: str, model: str) -> None:
    """Remove ALIAS from a model. A governed alias can only be removed from a wrong version."""
    session.registry.delete_alias(model, alias)
    if session.as_json:
        say_json({"alias": alias, "model": model, "version": None})
    else:
        click.echo(f"{alias} is removed from {model}.")


@alias.command
@ALIAS
@click.option(
    "--stage",
    type=STAGE,
    default=Stage.PRODUCTION,
    show_default="production",
    help="Staging or Production.",
)
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in AliasMode]),
    default=AliasMode.FOLLOWS.value,
    show_default=True,
    help="follows: transitions set it; guarded: set by hand, within the stage; free: not governed.",
)
@FOR_MODEL
@connected
def govern(session: Session, alias: str, stage: Stage, mode: str, model: str | None) -> None:
    """Bind ALIAS to a stage, for one model or for all. Existing aliases are not changed."""
    governed = GovernedAlias(alias, stage, AliasMode(mode))
    session.registry.set_governed_alias(governed, model)
    if session.as_json:
        say_json(governed_alias_document(governed, model))
    else:
        click.echo(f"{model or 'All models'}, alias {governed.alias}: {governed.describe()}.")


@alias.command
@ALIAS
@FOR_MODEL
@connected
def ungovern(session: Session, alias: str, model: str | None) -> None:
    """Remove what is configured for ALIAS, so that the default applies again."""
    session.registry.remove_governed_alias(alias, model)
    found = session.registry.get_governed_aliases(model)
    remaining = next((each for each in found if each.covers(alias)), None)
    now = remaining.describe() if remaining else "free"
    if session.as_json:
        say_json({"alias": alias, "model": model, "now": now})
    else:
        click.echo(f"{model or 'All models'}, alias {alias}: {now}.")
