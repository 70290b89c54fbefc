"""`obeya gc`: remove unreferenced stored content."""

from __future__ import annotations

from typing import Any

import click

from obeya.cli.options import database_options
from registry_site.cli._options import set_up_existing


@click.command
@click.option("--delete", is_flag=True, help="Remove the unused content. Default: only list it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def gc(*, delete: bool, as_json: bool, **options: Any) -> None:
    """List stored content that no version and no run uses; remove it with --delete.

    Content that was uploaded within the last day is kept: a version may use it soon.
    """
    set_up_existing(**options)

    from django.utils import timezone

    from boards.registry.artifacts.artifacts import collect_garbage

    found = collect_garbage(at=timezone.now(), remove=delete)
    if as_json:
        import json

        rows = [{"sha256": sha256, "size": size, "removed": delete} for sha256, size in found]
        click.echo(json.dumps(rows, indent=2))
        return
    for sha256, size in found:
        click.echo(f"{sha256}  {size:,} bytes")
    total = sum(size for _, size in found)
    if not found:
        click.echo("There is no unused content.")
    elif delete:
        click.echo(f"Removed {len(found):,} unused files ({total:,} bytes).")
    else:
        click.echo(
            f"{len(found):,} unused files ({total:,} bytes). Run obeya gc --delete to remove them."
        )
