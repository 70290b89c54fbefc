"""Options shared by commands of the core and of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def variable_option(
    name: str, *, variable: str, default: str, does: str, **attributes: Any
) -> Callable[[F], F]:
    """Return an option that sets a variable of the settings, with both in its help.

    The settings read the variable, so that its errors are the same for every program.
    """
    text = f"{does}  [env var: {variable}; default: {default}]"
    return click.option(name, help=text, **attributes)


ALLOW_SIMILAR = click.option(
    "--allow-similar", is_flag=True, help="Allow a new name that looks like an existing one."
)


def database_options(function: F) -> F:
    """Add the options for the location of the registry's data."""
    for option in (
        variable_option(
            "--database-url",
            metavar="URL",
            variable="DATABASE_URL",
            default="SQLite in the data directory",
            does="The database.",
        ),
        variable_option(
            "--data-dir",
            metavar="DIRECTORY",
            variable="OBEYA_DATA_DIR",
            default="./data",
            does="The data directory.",
        ),
    ):
        function = option(function)
    return function
