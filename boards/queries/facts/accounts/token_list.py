"""The API tokens of an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from boards import models

OVER_MAX = 20


@dataclass(frozen=True, slots=True)
class TokensOfAccount:
    """The valid tokens, and the last of the expired and revoked ones, the newest first."""

    valid: tuple[models.ApiToken, ...]
    over: tuple[models.ApiToken, ...]


def tokens_of(user: models.User | None) -> QuerySet[models.ApiToken]:
    """Return the tokens of an account, or (None) of all accounts, the newest first."""
    found = models.ApiToken.objects.select_related("user").order_by("-created_at", "-pk")
    return found if user is None else found.filter(user=user)


def valid_tokens(user: models.User | None, at: datetime) -> QuerySet[models.ApiToken]:
    """Return the tokens that are neither revoked nor expired."""
    return tokens_of(user).filter(revoked_at=None, expires_at__gt=at)


def tokens_of_account(user: models.User, at: datetime) -> TokensOfAccount:
    """Return the tokens for the page of an account; two statements."""
    valid = tuple(valid_tokens(user, at))
    over = tokens_of(user).exclude(revoked_at=None, expires_at__gt=at)
    return TokensOfAccount(valid, tuple(over[:OVER_MAX]))
