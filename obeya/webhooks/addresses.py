"""Allowed receivers of webhooks: hosts of the public internet, and the configured networks.

A person enters the address of an endpoint, and the worker runs inside the network of the
installation. So every address is checked, in every notation.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

HOST_MAX = 253
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LOOPBACK = ("127.0.0.1", "::1")

_NAT64 = ip_network("64:ff9b::/96")
_PUBLIC_IPV6 = ip_network("2000::/3")
# Addresses that Python's `is_global` accepts and that are not public hosts.
_NOT_PUBLIC = (
    # Internal to a cloud: WireServer of https://azure.microsoft.com, the service addresses of RFC
    # 7050 and Oracle's.
    ip_network("168.63.129.16/32"),
    ip_network("192.0.0.0/24"),
    ip_network("100.64.0.0/10"),
    # Relays of 6to4 (RFC 7526), and documentation (RFC 9637).
    ip_network("192.88.99.0/24"),
    ip_network("3fff::/20"),
)


def may_be_reached(text: str, allowed: Iterable[Network] = ()) -> bool:
    """Return whether an IP address is an allowed receiver."""
    address = ip_address(text.partition("%")[0])
    inner = _embedded(address)
    return any(form in network for network in allowed for form in (address, inner)) or _is_public(
        inner
    )


def host_problem(host: str, allowed: Iterable[Network] = ()) -> str:
    """Return why no delivery can ever be sent to the host of a URL, else "".

    Resolves no names: a name that resolves to an address that is not allowed has no problem here.
    """
    allowed = tuple(allowed)
    literal = _literal(host)
    if literal is not None and may_be_reached(str(literal), allowed):
        return ""
    if literal is not None:
        shown = host if host == str(literal) else f"{host} ({literal})"
        return (
            f"{shown} is not a public internet address. Enter another address, or add its network "
            "to OBEYA_WEBHOOK_NETWORKS."
        )
    name = host.removesuffix(".").lower()
    labels = name.split(".")
    if (
        len(name) > HOST_MAX
        or not all(map(_LABEL.fullmatch, labels))
        # Neither a name nor an IPv4 address.
        or _NUMBER.fullmatch(labels[-1])
    ):
        return f"“{host[:64]}” is not a valid host name. Correct it."
    if labels[-1] == "localhost" and not any(may_be_reached(each, allowed) for each in _LOOPBACK):
        return (
            f"{host} is this server itself. Enter another address, or add 127.0.0.0/8 to "
            "OBEYA_WEBHOOK_NETWORKS."
        )
    return ""


def _literal(host: str) -> Address | None:
    """Return the address that a host is written as, in any notation; None for a name."""
    try:
        if ":" in host:
            return IPv6Address(host)
        # Resolvers read numbers such as 127.1 and 0x7f000001 in this way too.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _embedded(address: Address) -> Address:
    """Return the IPv4 address to which an IPv6 address leads, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and (isinstance(address, IPv4Address) or address in _PUBLIC_IPV6)
        and not any(address in network for network in _NOT_PUBLIC)
    )
