"""`obeya token`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from obeya.cli.options import database_options
from obeya.tokens import SHOWN_LENGTH, Scope, read_scopes
from registry_site.cli._options import set_up, set_up_existing

if TYPE_CHECKING:
    from boards.models import ApiToken, User

LOCAL = "local"
_DAYS = 90


@click.group
def token() -> None:
    """API tokens, with which programs sign in."""


@token.command
@click.option(
    "--scopes",
    default=Scope.READ.value,
    show_default=True,
    help=f"What it may be used for, with commas between: {', '.join(Scope)}.",
)
@click.option("--user", "username", metavar="NAME", help="The account of the token.")
@click.option(
    "--service",
    metavar="NAME",
    help=f"The service account whose token it is, made when it is new. [{LOCAL}]",
)
@click.option("--name", default="made on the command line", help="The name of the token.")
@click.option(
    "--model", "globs", multiple=True, metavar="GLOB", help="Only for models with matching names."
)
@click.option("--days", default=_DAYS, show_default=True, help="How long the token is valid.")
@database_options
def create(
    *,
    scopes: str,
    username: str | None,
    service: str | None,
    name: str,
    globs: tuple[str, ...],
    days: int,
    **options: Any,
) -> None:
    """Create a token and print it on the last line. You won't see it again.

    It belongs to the service account “local” unless you name another account. Works while the
    server runs, and before its first start: then it creates the registry.
    """
    if username and service:
        raise click.UsageError("Name a person with --user or a service with --service, not both.")
    wanted = read_scopes(part.strip() for part in scopes.split(",") if part.strip())
    set_up(**options)

    from django.utils import timezone

    from boards.access.actors import SYSTEM, Actor
    from boards.registry.accounts.tokens import create_token, service_account
    from obeya.records import Channel
    from registry_site.cli import _start

    _start.prepare()
    actor, at = Actor(None, Channel.CLI), timezone.now()
    if username:
        account = _person(username)
    else:
        account = service_account(username=service or LOCAL, scopes=wanted, actor=SYSTEM, at=at)
    made, text = create_token(
        user=account, name=name, scopes=wanted, model_globs=globs, days=days, actor=actor, at=at
    )
    reach = f", for models named {', '.join(made.model_globs)}" if made.model_globs else ""
    click.echo(
        f"A token of {account.username} to {' and '.join(made.scopes)}{reach}, "
        f"valid until {made.expires_at:%Y-%m-%d}:"
    )
    click.echo(text)


@token.command("list")
@database_options
def list_tokens(**options: Any) -> None:
    """List valid tokens: their first characters, account and last use."""
    set_up_existing(**options)

    from django.utils import timezone

    from boards.queries.facts.token_list import valid_tokens

    rows = valid_tokens(None, timezone.now())
    if not rows:
        click.echo("There are no valid tokens.")
    for row in rows:
        used = f"last used {row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never used"
        click.echo(
            f"{row.shown}…  {row.user.username}  {','.join(row.scopes)}  "
            f"until {row.expires_at:%Y-%m-%d}  {used}  {row.name}"
        )


@token.command
@click.argument("beginning")
@database_options
def revoke(beginning: str, **options: Any) -> None:
    """Revoke the token that begins with BEGINNING, as `obeya token list` shows it."""
    set_up_existing(**options)

    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.registry.accounts.tokens import revoke_token
    from obeya.records import Channel

    row = _token(beginning)
    revoke_token(uid=row.uid, actor=Actor(None, Channel.CLI), at=timezone.now())
    click.echo(f"{row.shown}… of {row.user.username} is revoked.")


def _person(username: str) -> User:
    from boards.models import User
    from obeya.errors import NotFound

    found = User.objects.filter(username__iexact=username.strip(), is_active=True).first()
    if found is None:
        raise NotFound(f"There is no active account named “{username[:64]}”.", what="user")
    return found


def _token(beginning: str) -> ApiToken:
    from django.utils import timezone

    from boards.queries.facts.token_list import valid_tokens
    from obeya.errors import InvalidInput, NotFound

    shown = beginning.rstrip("…")[:SHOWN_LENGTH]
    rows = list(valid_tokens(None, timezone.now()).filter(shown=shown)[:2])
    if not rows:
        raise NotFound(f"No valid token begins with “{shown}”.", what="token")
    if len(rows) > 1:
        raise InvalidInput(
            f"Two tokens begin with “{shown}”; revoke it on the account's page.", field="token"
        )
    return rows[0]
