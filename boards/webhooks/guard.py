"""The addresses of a receiver, checked.

The connection uses the checked address itself: if the name resolves to another address later, that
has no effect.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from obeya.webhooks.addresses import Network, may_be_reached
from obeya.webhooks.endpoints import Target

SECONDS_TO_RESOLVE = 2


class Forbidden(Exception):
    """The receiver's name resolves to an address that is not allowed."""


def addresses_of(host: str, port: int, allowed: Iterable[Network]) -> list[tuple[int, str]]:
    """Return the addresses of a receiver, each with its family.

    Raises:
        Forbidden: one of them is in a private network that is not in `allowed`.
        OSError, UnicodeError: the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: list[tuple[int, str]] = list(
        dict.fromkeys((int(family), str(place[0])) for family, *_, place in found)
    )
    for _, text in addresses:
        if not may_be_reached(text, allowed):
            raise Forbidden(
                f"{host} resolves to {text}, an address in a private network. To allow deliveries "
                "to this network, add it to OBEYA_WEBHOOK_NETWORKS."
            )
    return addresses


def destination_warnings(target: Target, address: str) -> list[str]:
    """Return why deliveries to a valid endpoint fail at present.

    No warning if the name cannot be resolved within two seconds: it can be resolvable later.
    """
    warnings: list[str] = []

    def resolve() -> None:
        parts = urlsplit(address)
        try:
            addresses_of(parts.hostname or "", parts.port or 443, settings.OBEYA_WEBHOOK_NETWORKS)
        except Forbidden as error:
            warnings.append(f"Deliveries to this endpoint fail: {error}")
        except (OSError, UnicodeError):
            return

    if target is not Target.EMAIL:
        # The resolver has no time limit that a caller can set.
        thread = threading.Thread(target=resolve, name="resolve", daemon=True)
        thread.start()
        thread.join(SECONDS_TO_RESOLVE)
    return list(warnings)
