"""Allowed addresses of receivers: those of the public internet, and the configured networks.

A person enters the address of an endpoint, and the worker runs inside the network of the
installation. So every address that a name resolves to is checked, in every notation, and the
connection uses the checked address itself: if the name resolves to another address later, that has
no effect.
"""

from __future__ import annotations

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

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ip_network("::/96")
# Addresses that are global by their number but internal to a cloud: https://azure.microsoft.com
# (WireServer), the service addresses of RFC 7050 and Oracle's.
_WITHIN_CLOUDS = (
    ip_network("168.63.129.16/32"),
    ip_network("192.0.0.0/24"),
    ip_network("100.64.0.0/10"),
)


class Forbidden(Exception):
    """The receiver's name resolves to an address that is not allowed."""


def addresses_of(host: str, port: int, allowed: Iterable[Network]) -> list[tuple[int, str]]:
    """Return the addresses of a receiver, each with its family.

    Raises:
        Forbidden: one of them is in a private network that is not in `allowed`.
        OSError: the name cannot be resolved.
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


def may_be_reached(text: str, allowed: Iterable[Network] = ()) -> bool:
    """Return whether the address is an allowed receiver."""
    address = _unwrapped(ip_address(text.partition("%")[0]))
    if any(address in network for network in allowed):
        return True
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _WITHIN_CLOUDS)
    )


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that is embedded in an IPv6 address, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _NAT64):
        return low
    if address in _COMPATIBLE and int(address) > 1:
        return low
    return address
