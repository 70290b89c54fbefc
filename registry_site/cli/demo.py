"""`obeya demo`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import click

from registry_site.cli import _start
from registry_site.cli._options import server_options, set_up

T = TypeVar("T")


@click.command
@server_options
def demo(**options: Any) -> None:
    """Start the registry with sample models, unless it already has models."""
    set_up(**options)
    port = _start.free_port()
    _start.prepare()
    _load_unless_in_use()
    _start.serve(port)


def _load_unless_in_use() -> None:
    from django.utils import timezone

    from boards.models import RegisteredModel
    from registry_site.demo.load import RULES, load_demo
    from registry_site.demo.notice import loading_mark, remember_loaded
    from registry_site.demo.timm import read_models

    if RegisteredModel.objects.exists() and not loading_mark().exists():
        click.echo("The registry already has models. No sample models were loaded.")
        return
    click.echo(RULES)
    loading_mark().touch()
    report = load_demo(models=read_models(), now=timezone.now(), progress=_shown)
    remember_loaded()
    click.echo(
        f"Loaded {report.models} models with {report.versions} versions: "
        f"{report.moves} moves, {report.refusals} refusals."
    )


def _shown(models: Iterator[T], number: int) -> Iterator[T]:
    """Yield the same models, with a progress bar on the terminal."""
    with click.progressbar(models, length=number, label="Loading the sample models") as bar:
        yield from bar
