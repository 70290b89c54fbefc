"""Secrets and signatures of endpoints, as specified by Standard Webhooks (version 1.0)."""

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
    """Return a new secret: ``whsec_`` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def signed_headers(
    message_id: str, timestamp: int, body: str, keys: Iterable[str]
) -> Mapping[str, str]:
    """Return the headers of a delivery: id, time of sending (Unix seconds), and signatures.

    There is one signature per secret, so that a receiver can have the old or the new secret during
    a rotation.

    Raises:
        ValueError: a secret is not valid.
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
        raise ValueError("The secret must be whsec_ and base64.") from None
