"""`obeya serve`."""

from __future__ import annotations

from typing import Any

import click

from registry_site.cli import _start
from registry_site.cli._options import server_options, set_up


@click.command
@server_options
def serve(**options: Any) -> None:
    """Start the registry.

    Each option sets the variable of the same name; docs/settings.md lists all of them.
    """
    set_up(**options)
    port = _start.free_port()
    _start.prepare()
    _start.serve(port)
