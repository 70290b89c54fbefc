"""Keyed hashes of client addresses: they show that two addresses are equal, but not which.

Without SECRET_KEY, no one can find the address by trying all addresses. What counts as one address
is what limits count as one client.
"""

from __future__ import annotations

import hmac

from boards.access.client_address import address_block
from boards.access.sealing import derived_keys

DIGITS = 32


def address_hash(address: str) -> str:
    """Return the hash of the address, 32 hexadecimal digits."""
    return address_hashes(address)[0]


def address_hashes(address: str) -> list[str]:
    """Return the hash of the address under SECRET_KEY, then under each of its fallbacks."""
    block = address_block(address).encode()
    return [
        hmac.digest(key, block, "sha256").hex()[:DIGITS] for key in derived_keys(b"obeya.addresses")
    ]
