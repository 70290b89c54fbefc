"""`obeya user`."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from obeya.cli.options import ALLOW_SIMILAR, database_options
from registry_site.cli import _start
from registry_site.cli._address import running_address
from registry_site.cli._options import address_options, set_up_existing

if TYPE_CHECKING:
    from boards.models import User

GROUPS = ("viewer", "contributor", "promoter", "approver", "administrator")


@click.group
def user() -> None:
    """User accounts."""


@user.command
@click.argument("name")
@click.option(
    "--group", required=True, type=click.Choice(GROUPS), help="The group, which grants permissions."
)
@click.option("--email", default="", help="The e-mail address.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@ALLOW_SIMILAR
@address_options
def create(
    name: str, group: str, email: str, password_stdin: bool, allow_similar: bool, **options: Any
) -> None:
    """Create the account NAME.

    Asks for a password on a terminal. Without a password it prints a sign-in link, valid once
    within a day.
    """
    set_up_existing(**options)

    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.first_sign_in import one_time_link_path
    from boards.registry.accounts.users import create_user
    from obeya.errors import AlreadyExists
    from obeya.records import Channel

    password = _password(name, email, from_stdin=password_stdin)
    actor = Actor(None, Channel.CLI)
    try:
        account = create_user(
            username=name,
            group=group,
            email=email,
            password=password,
            allow_similar=allow_similar,
            actor=actor,
            at=timezone.now(),
        )
    except AlreadyExists as error:
        if taken := _account(name):
            command = _command("link", taken.username, options)
            raise AlreadyExists(
                f"{error} To create a new sign-in link: {command}", field="name"
            ) from None
        raise
    click.echo(f"Created the account {account.username} in the group {group}.")
    if password is None:
        _print_link(account.username, one_time_link_path(account, actor=actor), options)


@user.command
@click.argument("name")
@address_options
def link(name: str, **options: Any) -> None:
    """Print a sign-in link for the account NAME, valid once within a day.

    For users who forgot their password or never set one. Older links of the account stop working;
    the password stays until a new one is set.
    """
    set_up_existing(**options)

    from boards.access.actors import Actor
    from boards.first_sign_in import one_time_link_path
    from obeya.errors import NotFound
    from obeya.records import Channel

    account = _account(name)
    if account is None:
        command = _command("create", name, options, "--group", "GROUP")
        raise NotFound(f"There is no account named “{name}”. To create it: {command}", what="user")
    if not account.is_active:
        raise NotFound(
            f"The account “{account.username}” is not active. "
            "An administrator can activate it on the admin pages.",
            what="user",
        )
    path = one_time_link_path(account, actor=Actor(None, Channel.CLI))
    _print_link(account.username, path, options)


@user.command
@click.argument("name", required=False)
@click.option("--group", help="A group, instead of an account.")
@database_options
def adopt(name: str | None, group: str | None, **options: Any) -> None:
    """Record the account NAME, or a group, in the audit log as it is now, as adopted.

    For an account that was created or changed outside of Obeya, or a group whose permissions were
    changed, which `obeya audit verify` reports.
    """
    if (name is None) == (group is None):
        raise click.UsageError("Give the name of an account, or --group with the name of a group.")
    set_up_existing(**options)

    from django.contrib.auth.models import Group
    from django.utils import timezone

    from boards.access.actors import Actor
    from boards.registry.accounts.adoption import adopt_accounts
    from obeya.errors import NotFound
    from obeya.records import Channel

    if group is not None:
        if not Group.objects.filter(name=group).exists():
            raise NotFound(f"There is no group named “{group}”.", what="group")
        wanted, title = {"groups": [group]}, f"the group {group}"
    else:
        account = _account(name or "")
        if account is None:
            raise NotFound(f"There is no account named “{name}”.", what="user")
        wanted, title = {"accounts": [account.username]}, account.username
    if adopt_accounts(**wanted, actor=Actor(None, Channel.CLI), at=timezone.now()):
        click.echo(f"Recorded {title} in the audit log.")
    else:
        click.echo(f"The audit log already supports {title}.")


def _account(name: str) -> User | None:
    """Return the account of that name, ignoring case: no two names differ only by case."""
    from boards.models import User

    return User.objects.filter(username__iexact=User.normalize_username(name.strip())).first()


def _command(verb: str, name: str, options: dict[str, Any], *more: str) -> str:
    """Return another command about an account of the same registry, for copying."""
    if directory := options.get("data_dir"):
        more = (*more, "--data-dir", directory)
    if options.get("database_url"):
        # Not the URL itself: it can contain a password.
        more = (*more, "--database-url", "URL")
    return shlex.join(("obeya", "user", verb, name, *more))


def _print_link(name: str, path: str, options: dict[str, Any]) -> None:
    """Print the link, after a sentence that says where it leads; the last line is only the link.

    The options have priority over the address of the server that runs on the data, and that over
    the environment, which can differ from the server's.
    """
    from django.conf import settings

    asked = options.get("host") is not None or options.get("port") is not None
    running = None if asked else running_address(settings.OBEYA_DATA_DIR)
    base = running or _start.address()
    if running or asked:
        click.echo(f"One-time sign-in link of {name} at {base}, valid for one day:")
    else:
        click.echo(
            "No server runs on this data now. Start one to use the one-time sign-in link of "
            f"{name}, valid for one day. If its address differs, create the link with --host and "
            "--port:"
        )
    click.echo(base.rstrip("/") + path)


def _password(name: str, email: str, *, from_stdin: bool) -> str | None:
    """Return the password that was given, None if there is none."""
    from django.contrib.auth import password_validation
    from django.core.exceptions import ValidationError

    from boards.models import User

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt(
            "Password (leave empty for a sign-in link)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
        )
    else:
        return None
    if not password:
        if from_stdin:
            raise click.UsageError("Standard input contains no password.")
        return None
    try:
        password_validation.validate_password(password, User(username=name, email=email))
    except ValidationError as error:
        raise click.UsageError(" ".join(error.messages)) from error
    return str(password)
