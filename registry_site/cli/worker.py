"""`obeya worker`."""

from __future__ import annotations

from typing import Any

import click

from registry_site.cli._address import running_address
from registry_site.cli._options import address_options, set_up_existing


@click.command
@address_options
def worker(**options: Any) -> None:
    """Send webhook deliveries, verify new events, and inspect files again after an upgrade.

    Runs until stopped. `obeya serve` also does this unless OBEYA_WORKER is 0. On PostgreSQL any
    number of workers, on any number of machines, share the work.
    """
    set_up_existing(**options)

    from django.conf import settings

    from registry_site.cli import _start
    from registry_site.cli._deliver import deliver

    asked = options.get("host") is not None or options.get("port") is not None
    running = None if asked else running_address(settings.OBEYA_DATA_DIR)
    site = (running or _start.address()).rstrip("/")
    click.echo(f"Sending webhook deliveries. Links in messages point to {site}")
    deliver(site)
