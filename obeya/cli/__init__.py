"""The `obeya` command.

Commands that need the server are joined by name through the entry-point group `obeya.commands`;
they are imported when they are run or listed, and Django only when they are run.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

import click

from obeya.errors import RegistryError

GROUP = "obeya.commands"
# One module of each distribution that the extra `server` brings.
SERVER_MODULES = (
    "axes",
    "csp",
    "django",
    "django_htmx",
    "environ",
    "granian",
    "psycopg",
    "template_partials",
    "whitenoise",
)


class ServerMissing(click.ClickException):
    """The command is there, but not what it runs on."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__("This command needs the server: pip install 'obeya[server]'")


class Refused(click.ClickException):
    """What the registry refused, with the exit status of its kind."""

    def __init__(self, error: RegistryError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_status  # type: ignore[misc]  # click reads the instance's


class ObeyaGroup(click.Group):
    """The commands that are part of the SDK, and those joined by entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *_joined()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if command := super().get_command(ctx, cmd_name):
            return command
        if entry_point := _joined().get(cmd_name):
            joined = entry_point.load()
            if isinstance(joined, click.Command):
                return joined
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is about to run; refused when it is joined and its server missing."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in _joined() and any(map(_is_missing, SERVER_MODULES)):
            raise ServerMissing
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the registry refuses ends in a sentence and an exit status."""
        try:
            return super().invoke(ctx)
        except RegistryError as error:
            raise Refused(error) from error


def _joined() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=GROUP)}


def _is_missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None


@click.group(cls=ObeyaGroup, name="obeya", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("obeya"), prog_name="obeya", message="%(prog)s %(version)s")
def main() -> None:
    """A registry for machine-learning models that you can see."""
