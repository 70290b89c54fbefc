"""`obeya completion`: the shell completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes `obeya` in a shell.

    For bash: obeya completion bash >> ~/.bashrc
    """
    kind = get_completion_class(shell)
    root = ctx.find_root()
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(root.command, {}, "obeya", "_OBEYA_COMPLETE").source())
