"""`obeya demo`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, TypeVar

import click

from registry_site.cli import _start
from registry_site.cli._options import server_options, set_up
from registry_site.demo import NOTICE

T = TypeVar("T")


@click.command
@server_options
def demo(**options: Any) -> None:
    """Start the registry with sample models, unless it already has models."""
    os.environ.setdefault("OBEYA_NOTICE", NOTICE)
    set_up(**options)
    port = _start.free_port()
    _start.prepare()
    _load_unless_in_use()
    _start.serve(port)


def _load_unless_in_use() -> None:
    from django.conf import settings
    from django.utils import timezone

    from boards.models import RegisteredModel
    from registry_site.demo.load import RULES, load_demo

    # There only while models are loaded, so that a start that was broken off goes on.
    unfinished = settings.OBEYA_DATA_DIR / "demo-is-loading"
    if RegisteredModel.objects.exists() and not unfinished.exists():
        click.echo("There are models already; no sample models were loaded.")
        return
    click.echo(RULES)
    unfinished.touch()
    report = load_demo(now=timezone.now(), progress=_shown)
    unfinished.unlink()
    click.echo(
        f"Loaded {report.models} models with {report.versions} versions: "
        f"{report.moves} moves, {report.refusals} refusals."
    )


def _shown(models: Iterator[T], number: int) -> Iterator[T]:
    """The same models, with a bar on the terminal that says how far they are."""
    with click.progressbar(models, length=number, label="Loading the sample models") as bar:
        yield from bar
