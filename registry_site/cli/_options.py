"""Options that several commands take, and how they reach the settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from obeya.cli.options import database_options

__all__ = ["Misconfigured", "database_options", "server_options", "set_up"]

F = TypeVar("F", bound=Callable[..., Any])

# Option → the variable of docs/settings.md that it sets.
_DATABASE = {
    "data_dir": "OBEYA_DATA_DIR",
    "database_url": "DATABASE_URL",
}
_SERVER = {
    "host": "OBEYA_HOST",
    "port": "OBEYA_PORT",
    "workers": "OBEYA_WORKERS",
    "workflow": "OBEYA_WORKFLOW",
    "allowed_hosts": "OBEYA_ALLOWED_HOSTS",
    "trusted_origins": "OBEYA_TRUSTED_ORIGINS",
    "https": "OBEYA_HTTPS",
}


class Misconfigured(click.ClickException):
    """A setting that makes no sense, or a database that cannot be used."""

    exit_code = 2


def server_options(function: F) -> F:
    """The options of commands that run the server."""
    for option in (
        click.option("--https/--no-https", default=None, help="A proxy in front speaks HTTPS."),
        click.option("--trusted-origins", metavar="URLS", help="Origins of forms, with commas."),
        click.option("--allowed-hosts", metavar="NAMES", help="Names it answers to, with commas."),
        click.option("--workflow", metavar="NAME", help="strict, returns or open [strict]."),
        click.option("--workers", type=int, help="Processes [one per core, at most 4]."),
        click.option("--port", type=int, help="Port; 0 takes a free one [8000]."),
        click.option("--host", metavar="ADDRESS", help="Address to listen on [127.0.0.1]."),
    ):
        function = option(function)
    return database_options(function)


def set_up(**options: Any) -> None:
    """Put the options that were given into the environment and load Django."""
    for option, variable in (_DATABASE | _SERVER).items():
        value = options.get(option)
        if value is not None:
            os.environ[variable] = str(int(value)) if isinstance(value, bool) else str(value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_site.settings")
    # What a command writes is for its own account alone, also where the data directory is not.
    os.umask(0o077)

    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Misconfigured(str(error)) from error
