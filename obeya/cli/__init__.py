"""The `obeya` command."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from obeya.cli.alias import alias
from obeya.cli.artifacts import download, upload
from obeya.cli.audit import audit
from obeya.cli.completion import completion
from obeya.cli.importing import export, import_
from obeya.cli.mlflow_import import from_mlflow
from obeya.cli.moves import approve, check, promote, request, rollback, transition
from obeya.cli.policy import policy
from obeya.cli.server import JoiningGroup
from obeya.cli.versions import compare, history, list_, log_metrics, register, show
from obeya.errors import RegistryError, SimilarName

# The options whose values the server names by a field.
_OPTIONS = {"to_stage": "--stage", "to_version": "--to-version"}


class Refused(click.ClickException):
    """An error of the registry, with the exit status of its kind."""

    def __init__(self, error: RegistryError) -> None:
        option = _OPTIONS.get(getattr(error, "field", None) or "")
        sentence = f"{error} Option: {option}." if option else str(error)
        if isinstance(error, SimilarName):
            sentence += " To use the new name anyway, add --allow-similar."
        super().__init__(sentence)
        self.exit_code = error.exit_status  # type: ignore[misc]  # click reads the instance's


class ObeyaGroup(JoiningGroup):
    """The commands of the SDK, and the commands that entry points add."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of the registry ends it with a sentence and an exit status."""
        try:
            return super().invoke(ctx)
        except RegistryError as error:
            raise Refused(error) from error


@click.group(cls=ObeyaGroup, name="obeya", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("obeya"), prog_name="obeya", message="%(prog)s %(version)s")
def main() -> None:
    """A model registry with a board, promotion policies and an audit log."""


for command in (
    alias,
    approve,
    audit,
    check,
    compare,
    completion,
    download,
    export,
    history,
    import_,
    list_,
    log_metrics,
    policy,
    promote,
    register,
    request,
    rollback,
    show,
    transition,
    upload,
):
    main.add_command(command)
import_.add_command(from_mlflow, "mlflow")
