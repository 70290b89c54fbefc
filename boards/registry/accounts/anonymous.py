"""The account that acts for callers without a token, if the settings allow such callers."""

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
    """What callers without a token are allowed to do."""

    NONE = "none"
    READ = "read"
    WRITE = "write"


_SCOPES = {
    AnonymousAccess.READ: frozenset({Scope.READ}),
    AnonymousAccess.WRITE: frozenset({Scope.READ, Scope.WRITE, Scope.PROMOTE}),
}


def anonymous_actor(*, access: AnonymousAccess, channel: Channel, at: datetime) -> Actor:
    """Return the actor for a caller without a token. Create its service account if it is missing.

    `access` must not be NONE.

    Raises:
        AlreadyExists: a person's account has the name.
    """
    scopes = _SCOPES[access]
    user = User.objects.filter(username=USERNAME, is_service=True, is_active=True).first()
    if user is None or not scopes <= scopes_of(user):
        user = service_account(
            username=USERNAME, scopes=sorted(scopes), allow_similar=True, actor=SYSTEM, at=at
        )
    return Actor(user, channel, grant=Grant(scopes))
