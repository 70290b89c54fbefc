"""Options shared by commands of the core and of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def database_options(function: F) -> F:
    """Add the options for the location of the registry's data."""
    for option in (
        click.option("--database-url", metavar="URL", help="The database. [SQLite]"),
        click.option("--data-dir", metavar="DIRECTORY", help="The data directory [./data]."),
    ):
        function = option(function)
    return function
