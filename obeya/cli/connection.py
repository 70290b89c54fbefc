"""The connection of commands to a server, and their common options: address, token, version."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
from click.shell_completion import CompletionItem

from obeya.errors import InvalidInput
from obeya.look_alikes.new_names import SimilarNameWarning
from obeya.records import ModelVersion
from obeya.remote.registry import RemoteRegistry
from obeya.remote.transport import DEFAULT_URL
from obeya.stages import Stage

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

URL = click.option(
    "--url",
    envvar="OBEYA_URL",
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    help="The address of the server.",
)
TOKEN = click.option(
    "--token", envvar="OBEYA_TOKEN", show_envvar=True, default="", help="An API token."
)


@dataclass(frozen=True, slots=True)
class Session:
    """A registry on a server, and whether the output is JSON for programs."""

    registry: RemoteRegistry
    as_json: bool

    def version(self, model: str, text: str) -> ModelVersion:
        """Return the version by its number, an alias, or ``latest``.

        Raises:
            NotFound: there is no such model, version or alias.
        """
        if text == "latest":
            found = self.registry.get_latest(model)
            if found is None:
                raise InvalidInput(f"{model} has no versions.", field="version")
            return found
        digits = text[1:] if text[:1] in "vV" else text
        if digits.isascii() and digits.isdigit() and len(digits) <= 10:
            return self.registry.get_version(model, int(digits))
        return self.registry.get_version_by_alias(model, text)

    def page(self, path: str) -> str:
        """Return the address of a page of the server."""
        return f"{self.registry.url}{path}"


def connected(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Add the options for the server to a command, and pass it a `Session` first."""

    @URL
    @TOKEN
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> R:
        url, token = str(kwargs.pop("url")), str(kwargs.pop("token"))
        as_json = bool(kwargs.pop("as_json"))
        with warnings.catch_warnings():
            warnings.simplefilter("always", SimilarNameWarning)
            warnings.showwarning = _show_warning
            return function(Session(RemoteRegistry(url, token), as_json), *args, **kwargs)

    return command


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"warning: {message}", err=True)


def named_version(function: F) -> F:
    """Add the options that identify one version."""
    function = click.option(
        "--version", required=True, metavar="N", help="A version number, an alias, or latest."
    )(function)
    return named_model(function)


def named_model(function: F) -> F:
    """Add the option that identifies a model."""
    return click.option("--model", required=True, metavar="NAME", help="The registered model.")(
        function
    )


class StageType(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers only
    """A stage by its name, in upper or lower case."""

    name = "stage"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Stage:
        """Return the stage with this name."""
        try:
            return Stage.parse(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the placeholder in the help text."""
        return "[" + "|".join(stage.value for stage in Stage) + "]"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the stages that begin with this text."""
        begun = incomplete.lower()
        return [CompletionItem(stage.value) for stage in Stage if stage.value.startswith(begun)]


STAGE = StageType()


def pairs(values: tuple[str, ...], *, what: str) -> dict[str, str]:
    """Return options of the form ``key=value`` by key, split at the first ``=``.

    Raises:
        BadParameter: there is no ``=``, or a key is given twice.
    """
    found: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"“{text[:64]}” is not a valid {what}. Write it as key=value.")
        if key in found:
            raise click.BadParameter(f"Duplicate {what} “{key[:64]}”.")
        found[key] = value
    return found


def numbers(values: tuple[str, ...]) -> dict[str, float]:
    """Return metrics of the form ``name=0.91`` by name. Raises `BadParameter`."""
    found: dict[str, float] = {}
    for name, text in pairs(values, what="metric").items():
        try:
            found[name] = float(text)
        except ValueError:
            raise click.BadParameter(
                f"“{text[:32]}” is not a number. Write it as {name[:64]}=0.91."
            ) from None
    return found
