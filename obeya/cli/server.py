"""Commands that need the server package, added to those that do not.

Their names come from the entry-point group `obeya.commands`. They are imported when they are run or
listed, and import Django only when they are run.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

ENTRY_POINTS = "obeya.commands"
# One module of each distribution that the extra `server` installs.
SERVER_MODULES = (
    "cryptography",
    "csp",
    "django",
    "django_htmx",
    "environ",
    "granian",
    "ninja",
    "psycopg",
    "template_partials",
    "whitenoise",
)


class ServerMissing(click.ClickException):
    """The command exists, but the packages that it needs are not installed."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__("This command needs the server: pip install 'obeya[server]'")


class JoiningGroup(click.Group):
    """A group of commands that need no server, and joined commands that need one.

    A command of the group has priority over a joined command of the same name.
    """

    def joined(self) -> Mapping[str, Callable[[], object]]:
        """Return the loader of each joined command by name; for the top level, entry points."""
        return {name: point.load for name, point in joined_entry_points().items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self.joined()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name."""
        if command := super().get_command(ctx, cmd_name):
            return command
        if load := self.joined().get(cmd_name):
            joined = load()
            if isinstance(joined, click.Command):
                return joined
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to run; refused if it is a joined one and the server is missing."""
        name, command, rest = super().resolve_command(ctx, args)
        if name not in self.commands and name in self.joined():
            require_server()
        return name, command, rest


def joined_entry_points() -> dict[str, EntryPoint]:
    """Return the entry points of commands that need the server, by name."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def joined_commands(name: str) -> Mapping[str, click.Command]:
    """Return the commands of a joined group by name; empty if the server package is missing."""
    point = joined_entry_points().get(name)
    group: Any = point.load() if point else None
    return group.commands if isinstance(group, click.Group) else {}


def require_server() -> None:
    """Check that the server is installed.

    Raises:
        ServerMissing: it is not installed.
    """
    if any(map(_is_missing, SERVER_MODULES)):
        raise ServerMissing


def _is_missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None
