"""`obeya token`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from obeya.cli.options import ALLOW_SIMILAR, database_options
from obeya.tokens import (
    SHOWN_LENGTH,
    TOKEN_DAYS,
    TOKEN_DAYS_MAX,
    Grant,
    Scope,
    check_service_scopes,
    read_scopes,
)
from registry_site.cli._options import set_up, set_up_existing

if TYPE_CHECKING:
    from boards.models import ApiToken, User

LOCAL = "local"


@click.group
def token() -> None:
    """API tokens for programs."""


@token.command
@click.option(
    "--scopes",
    default=Scope.READ.value,
    show_default=True,
    help=f"The scopes, comma-separated: {', '.join(Scope)}.",
)
@click.option("--user", "username", metavar="NAME", help="The user account of the token.")
@click.option(
    "--service",
    metavar="NAME",
    show_default=f"{LOCAL}, unless --user is given",
    help="The service account of the token; created if it does not exist.",
)
@click.option(
    "--name",
    default="created on the command line",
    show_default=True,
    help="The name of the token.",
)
@click.option(
    "--model",
    "globs",
    multiple=True,
    metavar="GLOB",
    help="Limit the token to models with matching names. Can be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(1, TOKEN_DAYS_MAX),
    default=TOKEN_DAYS,
    show_default=True,
    help="The number of days that the token is valid.",
)
@click.option(
    "--allow-service-approval",
    is_flag=True,
    help="Let a service account have the scope approve. Its approvals count only for policies with "
    "count_service_approvals.",
)
@ALLOW_SIMILAR
@database_options
def create(
    *,
    scopes: str,
    username: str | None,
    service: str | None,
    name: str,
    globs: tuple[str, ...],
    days: int,
    allow_service_approval: bool,
    allow_similar: bool,
    **options: Any,
) -> None:
    """Create a token and print it on the last line. You won't see it again.

    It belongs to the service account “local” unless you name another account. Works while the
    server runs, and before its first start: then it creates the registry.
    """
    if username and service:
        raise click.UsageError("Use either --user or --service, not both.")
    wanted = read_scopes(part.strip() for part in scopes.split(",") if part.strip())
    # Invalid input is refused before a registry is created.
    Grant(wanted, globs)
    if not username:
        check_service_scopes(wanted, allow_service_approval=allow_service_approval)
    set_up(**options)

    from django.conf import settings
    from django.utils import timezone

    from boards.access.actors import SYSTEM, Actor
    from boards.registry.accounts.tokens import create_token, service_account
    from obeya.records import Channel
    from registry_site.cli import _start

    if _start.prepare():
        click.echo(f"Created a new registry. Data directory: {settings.OBEYA_DATA_DIR}", err=True)
    actor, at = Actor(None, Channel.CLI), timezone.now()
    if username:
        account = _person(username)
    else:
        account = service_account(
            username=service or LOCAL,
            scopes=wanted,
            allow_similar=allow_similar,
            actor=SYSTEM,
            at=at,
        )
    made, text = create_token(
        user=account,
        name=name,
        scopes=wanted,
        model_globs=globs,
        days=days,
        allow_service_approval=allow_service_approval,
        actor=actor,
        at=at,
    )
    noun = "scope" if len(made.scopes) == 1 else "scopes"
    reach = f", for models named {', '.join(made.model_globs)}" if made.model_globs else ""
    click.echo(
        f"Token of {account.username} with {noun} {', '.join(made.scopes)}{reach}, "
        f"valid until {made.expires_at:%Y-%m-%d}:"
    )
    click.echo(text)


@token.command("list")
@database_options
def list_tokens(**options: Any) -> None:
    """List valid tokens: their first characters, account and last use."""
    set_up_existing(**options)

    from django.utils import timezone

    from boards.queries.facts.accounts.token_list import valid_tokens

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
    """Revoke a token. BEGINNING is its first characters, as `obeya token list` shows them."""
    set_up_existing(**options)

    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.registry.accounts.tokens import revoke_token
    from obeya.records import Channel

    row = _token(beginning)
    revoke_token(uid=row.uid, actor=Actor(None, Channel.CLI), at=timezone.now())
    click.echo(f"Token {row.shown}… of {row.user.username} revoked.")


def _person(username: str) -> User:
    from boards.models import User
    from obeya.errors import NotFound

    found = User.objects.filter(username__iexact=username.strip(), is_active=True).first()
    if found is None:
        raise NotFound(f"There is no active account named “{username[:64]}”.", what="user")
    return found


def _token(beginning: str) -> ApiToken:
    from django.utils import timezone

    from boards.queries.facts.accounts.token_list import valid_tokens
    from obeya.errors import InvalidInput, NotFound

    shown = beginning.rstrip("…")[:SHOWN_LENGTH]
    rows = list(valid_tokens(None, timezone.now()).filter(shown=shown)[:2])
    if not rows:
        raise NotFound(
            f"No valid token begins with “{shown}”. Enter the first {SHOWN_LENGTH} characters of a "
            "token, as obeya token list shows them.",
            what="token",
        )
    if len(rows) > 1:
        raise InvalidInput(
            f"Several tokens begin with “{shown}”. Revoke the right one on the page “API tokens”.",
            field="token",
        )
    return rows[0]
