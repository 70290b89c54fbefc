"""The first sign-in, when no account has a password yet."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.urls import reverse
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import Permission, people_who_may
from boards.models import User
from boards.registry.accounts.users import ADMINISTRATOR, create_sign_in_link, create_user
from obeya.errors import AlreadyExists

FIRST_ACCOUNT = "admin"


def one_time_link_path(user: User, *, actor: Actor) -> str:
    """Create a sign-in link for the account and return its path."""
    token = create_sign_in_link(user=user, actor=actor, at=timezone.now())
    return reverse("boards:sign_in_once", args=[token])


def first_administrator() -> User | None:
    """Return the account for the first sign-in link; None if there is none.

    It is the active administrator named ``admin`` (ignoring case), else the active one that was
    created first. If there is no administrator and no account of that name, ``admin`` is created.
    """
    found = _administrator()
    if found is not None:
        return found
    if not User.objects.filter(username__iexact=FIRST_ACCOUNT).exists():
        _make_first_account(timezone.now())
    # Another server of this registry may have created the account since the first query.
    return _administrator()


def _administrator() -> User | None:
    holders = people_who_may(Permission.ADMINISTER)
    return holders.filter(username__iexact=FIRST_ACCOUNT).first() or holders.first()


def _make_first_account(at: datetime) -> None:
    with suppress(AlreadyExists):
        create_user(username=FIRST_ACCOUNT, group=ADMINISTRATOR, actor=SYSTEM, at=at)
