"""Keys from SECRET_KEY, and texts that are stored sealed: a dump or backup does not reveal them.

Sealed with Fernet (AES-128-CBC and HMAC-SHA256, https://github.com/fernet/spec) under a key that is
derived from SECRET_KEY; what was sealed under one of SECRET_KEY_FALLBACKS can still be opened.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes


class Unopenable(Exception):
    """The text was sealed under a key that this installation does not have."""


def seal(text: str) -> str:
    """Return the text encrypted, so that only this installation can read it."""
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the text that was sealed. Raises `Unopenable`."""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unopenable from None


def derived_keys(purpose: bytes) -> list[bytes]:
    """Return the keys of 32 bytes for a purpose: from SECRET_KEY, then from its fallbacks."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [_derived(force_bytes(key), purpose) for key in keys]


@lru_cache(maxsize=32)
def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=purpose).derive(key)


def _box() -> MultiFernet:
    keys = derived_keys(b"obeya.sealing")
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
