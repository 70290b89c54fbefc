"""Digests of stored credentials and addresses, which events contain instead of them."""

from __future__ import annotations

from boards import models
from obeya.audit.chain import text_digest


def token_digest(token: models.ApiToken) -> str:
    """Return the digest of what identifies the secret of an API token."""
    return text_digest(f"{token.shown} {token.token_hash}")


def link_digest(link: models.OneTimeLink) -> str:
    """Return the digest of the stored hash of a sign-in link."""
    return text_digest(link.token_hash)


def address_digest(webhook: models.Webhook) -> str:
    """Return the digest of the whole address of an endpoint; the event shows only its host."""
    return text_digest(f"{webhook.uid} {webhook.address}")
