"""`obeya user`."""

from __future__ import annotations

import sys
from typing import Any

import click

from registry_site.cli import _start
from registry_site.cli._options import database_options, set_up

GROUPS = ("viewer", "contributor", "promoter", "approver", "administrator")


@click.group
def user() -> None:
    """Accounts."""


@user.command
@click.argument("name")
@click.option("--group", required=True, type=click.Choice(GROUPS), help="What it may do.")
@click.option("--email", default="", help="Its e-mail address.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@database_options
def create(name: str, group: str, email: str, password_stdin: bool, **options: Any) -> None:
    """Make the account NAME.

    Asks for a password on a terminal. Where none is given, prints a link that signs the account
    in once, within a day.
    """
    set_up(**options)
    _start.migrate()

    from django.utils import timezone

    from boards import registry
    from boards.first_sign_in import one_time_link_path
    from boards.registry import Actor
    from obeya.records import Channel

    password = _password(name, email, from_stdin=password_stdin)
    actor = Actor(None, Channel.CLI)
    account = registry.create_user(
        username=name,
        group=group,
        email=email,
        password=password,
        actor=actor,
        at=timezone.now(),
    )
    click.echo(f"{account.username} is in the group {group}.")
    if password is None:
        click.echo("This link signs the account in once, within a day:")
        click.echo(_start.address(path=one_time_link_path(account, actor=actor)))


def _password(name: str, email: str, *, from_stdin: bool) -> str | None:
    """The password that was given, None when there is none to ask for."""
    from django.contrib.auth import password_validation
    from django.core.exceptions import ValidationError

    from boards.models import User

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt(
            "Password (empty for a link)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
        )
    else:
        return None
    if not password:
        if from_stdin:
            raise click.UsageError("Standard input holds no password.")
        return None
    try:
        password_validation.validate_password(password, User(username=name, email=email))
    except ValidationError as error:
        raise click.UsageError(" ".join(error.messages)) from error
    return str(password)
