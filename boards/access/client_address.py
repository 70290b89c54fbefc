"""The address of the client of a request, also behind proxies that OBEYA_TRUSTED_PROXIES lists.

Anyone can send the headers X-Forwarded-For and Forwarded (RFC 7239). A proxy appends the address
that it got the request from, so they are read from the right, as long as the hop is trusted.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

_NETWORK_BITS = 64

_Address = IPv4Address | IPv6Address

# An IPv4 address, or an IPv6 address in brackets, either with a port.
_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")
_PARAMETER = re.compile(r'\s*([\w-]+)=(?:"([^"\\]*)"|([^\s";=]+))\s*', re.ASCII)


def client_address(request: HttpRequest) -> str:
    """Return the address of the client: of the last hop that is not a trusted proxy.

    Without trusted proxies, the address of the connection. If a header is malformed, or the two
    headers differ, the address of the last trusted proxy before it. Empty if the connection has no
    address, as with a Unix socket.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    address = _plain(peer)
    if address is None:
        return peer
    if not _is_trusted(address):
        return str(address)
    # Most proxies set one of the headers and pass the other on as the client wrote it.
    found = {
        _last_untrusted(address, hops)
        for header, read in _HEADERS
        if (hops := read(request.META.get(header, "")))
    }
    return str(found.pop() if len(found) == 1 else address)


def address_block(address: str) -> str:
    """Return the addresses that limits count as one client: the /64 network of an IPv6 address.

    One machine can choose any address of it.
    """
    parsed = _plain(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed.packed, _NETWORK_BITS), strict=False))
    return address


def _last_untrusted(address: _Address, hops: list[_Address | None]) -> _Address:
    for hop in reversed(hops):
        if hop is None or not _is_trusted(address):
            break
        address = hop
    return address


def _is_trusted(address: _Address) -> bool:
    return any(address in network for network in settings.OBEYA_TRUSTED_PROXIES)


def _forwarded_for(header: str) -> list[_Address | None]:
    return [_plain(text) or _bracketed(text) for text in _split(header)]


def _forwarded(header: str) -> list[_Address | None]:
    """Return the addresses of the parameters `for`; None for a hop without exactly one address."""
    return [_node(element) for element in _split(header)]


def _node(element: str) -> _Address | None:
    nodes = []
    for parameter in element.split(";"):
        match = _PARAMETER.fullmatch(parameter)
        if match is None:
            return None
        name, quoted, token = match.groups()
        if name.lower() == "for":
            nodes.append(_bracketed(quoted if token is None else token))
    return nodes[0] if len(nodes) == 1 else None


def _split(header: str) -> list[str]:
    # No address contains a comma. A quoted one makes both of its halves malformed.
    return [part.strip() for part in header.split(",")] if header else []


def _bracketed(text: str) -> _Address | None:
    match = _WITH_PORT.fullmatch(text)
    return _plain(match[1] or match[2]) if match else None


def _plain(text: str) -> _Address | None:
    """Return the address without a zone; an IPv4 address in the form of IPv6 as IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


_HEADERS = (("HTTP_X_FORWARDED_FOR", _forwarded_for), ("HTTP_FORWARDED", _forwarded))
