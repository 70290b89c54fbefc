"""Secrets of endpoints, and signatures with them, as Standard Webhooks has it (version 1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
BYTES = 32


def new_secret() -> str:
    """A new secret: ``whsec_`` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def signed_headers(
    message_id: str, timestamp: int, body: str, keys: Iterable[str]
) -> Mapping[str, str]:
    """The headers of a message: its id, when it is sent (Unix seconds), and its signatures.

    One signature for each secret, so that a receiver may hold the old or the new one while they
    are exchanged.

    Raises:
        ValueError: a secret is none.
    """
    text = f"{message_id}.{timestamp}.{body}".encode()
    signatures = [
        base64.b64encode(hmac.new(_key(secret), text, hashlib.sha256).digest()).decode()
        for secret in keys
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("The secret is not whsec_ and base64.") from None
