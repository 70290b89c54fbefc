"""Options common to several commands, and how they are passed to the settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from obeya.cli.options import database_options, variable_option

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
    """A setting is invalid, or the database cannot be used."""

    exit_code = 2


def address_options(function: F) -> F:
    """Add the options with the server's address, for commands that do not start it."""
    for option in (
        click.option(
            "--port",
            type=int,
            show_default="that of the running server, else OBEYA_PORT",
            help="The server's port in links.",
        ),
        click.option(
            "--host",
            metavar="ADDRESS",
            show_default="that of the running server, else OBEYA_HOST",
            help="The server's host in links.",
        ),
    ):
        function = option(function)
    return database_options(function)


def server_options(function: F) -> F:
    """Add the options of commands that run the server."""
    for option in (
        variable_option(
            "--https/--no-https",
            variable="OBEYA_HTTPS",
            default="no-https",
            does="Whether a proxy serves HTTPS.",
        ),
        variable_option(
            "--trusted-origins",
            metavar="URLS",
            variable="OBEYA_TRUSTED_ORIGINS",
            default="none",
            does="Origins whose forms are accepted, comma-separated.",
        ),
        variable_option(
            "--allowed-hosts",
            metavar="NAMES",
            variable="OBEYA_ALLOWED_HOSTS",
            default="localhost and the listening address",
            does="Host names that the server answers to, comma-separated.",
        ),
        variable_option(
            "--workflow",
            metavar="NAME",
            variable="OBEYA_WORKFLOW",
            default="strict",
            does="The default workflow: strict, returns or open.",
        ),
        variable_option(
            "--workers",
            type=int,
            variable="OBEYA_WORKERS",
            default="one per core, at most 4",
            does="The number of server processes.",
        ),
        variable_option(
            "--port",
            type=int,
            variable="OBEYA_PORT",
            default="8000",
            does="The port to listen on; 0 selects a free one.",
        ),
        variable_option(
            "--host",
            metavar="ADDRESS",
            variable="OBEYA_HOST",
            default="127.0.0.1",
            does="The address to listen on.",
        ),
    ):
        function = option(function)
    return database_options(function)


def set_up(**options: Any) -> None:
    """Put the given options into the environment and load Django.

    A missing data directory is created.
    """
    for option, variable in (_DATABASE | _SERVER).items():
        value = options.get(option)
        if value is not None:
            os.environ[variable] = str(int(value)) if isinstance(value, bool) else str(value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry_site.settings")
    # Files that a command writes are readable for its own account only, even if the data directory
    # is readable for others.
    os.umask(0o077)

    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Misconfigured(str(error)) from error


def set_up_existing(**options: Any) -> None:
    """Do the same for commands about an existing registry: they create nothing.

    Raises:
        Misconfigured: there is no registry, or it has another version.
    """
    from registry_site.environment import nothing_is_made

    with nothing_is_made():
        set_up(**options)

    from django.db import DatabaseError

    try:
        problem = _what_is_wrong()
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    if problem:
        raise Misconfigured(problem)


def _what_is_wrong() -> str:
    """Return why the database is not a registry that this version can use; empty if it is."""
    from django.conf import settings
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from boards.migration_history import partial_history

    if os.environ.get("DATABASE_URL", "").strip():
        place = "the database of DATABASE_URL"
        ways = "Run `obeya serve` with the same DATABASE_URL to create one."
    else:
        place = str(settings.OBEYA_DATA_DIR)
        ways = (
            "Run `obeya serve` to create one there, or set another directory with --data-dir or "
            "OBEYA_DATA_DIR."
        )
    nothing = f"There is no registry in {place}. {ways}"
    if not has_registry():
        return nothing
    if problem := partial_history(connection):
        return problem
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return (
            f"The registry in {place} is from an earlier version of Obeya. "
            "Run `obeya serve` on it once to upgrade it."
        )
    return ""


def has_registry() -> bool:
    """Return whether the database contains a registry of any version; creates nothing."""
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    # Checked first, because opening an SQLite database creates its file.
    if connection.vendor == "sqlite" and not _is_filled(connection.settings_dict["NAME"]):
        return False
    applied = MigrationRecorder(connection).applied_migrations()
    return any(app == "boards" for app, _ in applied)


def _is_filled(path: str) -> bool:
    try:
        return Path(path).stat().st_size > 0
    except OSError:
        return False
