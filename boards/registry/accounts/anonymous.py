"""The account that acts for callers without a token, where the site lets them in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import scopes_of
from boards.models import User
from boards.registry.accounts.tokens import service_account
from obeya.records import Channel
from obeya.tokens import Grant, Scope

USERNAME = "anonymous"


class AnonymousAccess(StrEnum):
    """What the site lets callers without a token do."""

    NONE = "none"
    READ = "read"
    WRITE = "write"


_SCOPES = {
    AnonymousAccess.READ: frozenset({Scope.READ}),
    AnonymousAccess.WRITE: frozenset({Scope.READ, Scope.WRITE, Scope.PROMOTE}),
}


def anonymous_actor(*, access: AnonymousAccess, channel: Channel, at: datetime) -> Actor:
    """The actor for a caller without a token; its service account is made when it is missing.

    `access` must not be NONE.

    Raises:
        AlreadyExists: a person's account has the name.
    """
    scopes = _SCOPES[access]
    user = User.objects.filter(username=USERNAME, is_service=True, is_active=True).first()
    if user is None or not scopes <= scopes_of(user):
        user = service_account(username=USERNAME, scopes=sorted(scopes), actor=SYSTEM, at=at)
    return Actor(user, channel, Grant(scopes))
