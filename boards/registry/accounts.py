"""Writes to accounts: users, and links that sign one in once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction

from boards.actors import Actor
from boards.models import OneTimeLink, User
from boards.permissions import GROUPS, Right
from boards.registry._commit import writing_site
from obeya.errors import AlreadyExists, InvalidInput
from obeya.records import Action

ADMINISTRATOR = "administrator"
LINK_LIFETIME = timedelta(days=1)


def create_user(
    *,
    username: str,
    group: str,
    email: str = "",
    password: str | None = None,
    is_service: bool = False,
    actor: Actor,
    at: datetime,
) -> User:
    """Make an account in one of the groups. Without a password it signs in by one-time link.

    An administrator may also use the admin pages; a service comes in by token alone.

    Raises:
        InvalidInput: no such group, or the name or address cannot be.
        AlreadyExists: the name is taken.
    """
    actor.require(Right.ADMINISTER, None)
    if group not in GROUPS:
        raise InvalidInput(
            f"“{group[:64]}” is not a group. The groups are {', '.join(GROUPS)}.", field="group"
        )
    username = User.normalize_username(username.strip())
    for column, text in (
        (User._meta.get_field("username"), username),
        (User._meta.get_field("email"), email),
    ):
        try:
            column.clean(text, None)
        except ValidationError as error:
            raise InvalidInput(" ".join(error.messages), field=column.name) from None
    with writing_site(actor=actor, at=at) as write:
        if User.objects.filter(username__iexact=username).exists():
            raise AlreadyExists(f"There is an account named “{username}”.", field="username")
        user = User(
            username=username,
            email=email,
            is_staff=group == ADMINISTRATOR and not is_service,
            is_superuser=group == ADMINISTRATOR and not is_service,
            is_service=is_service,
            date_joined=write.at,
        )
        user.set_password(password or None)
        user.save(force_insert=True)
        user.groups.add(Group.objects.get(name=group))
        service = {"service": True} if is_service else {}
        write.record(Action.USER_CREATED, data={"user": str(user.uid), "group": group, **service})
        return user


def record_user_change(
    *, user: User, made: bool, fields: tuple[str, ...], actor: Actor, at: datetime
) -> None:
    """Log that the admin made an account or changed columns of it; names, never values.

    The admin has written the account in the same transaction. `fields` are the columns changed.

    Raises:
        NotAllowed: the actor may not administer.
    """
    actor.require(Right.ADMINISTER, None)
    with writing_site(actor=actor, at=at) as write:
        write.record(
            Action.USER_CREATED if made else Action.USER_CHANGED,
            data={"user": str(user.uid), "fields": sorted(fields)},
        )


def make_one_time_link(*, user: User, at: datetime) -> str:
    """A new token that signs `user` in once within a day; older unused ones stop working."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        OneTimeLink.objects.filter(user=user, used_at=None).delete()
        OneTimeLink.objects.create(
            user=user, token_hash=_digest(token), created_at=at, expires_at=at + LINK_LIFETIME
        )
    return token


def use_one_time_link(*, token: str, at: datetime) -> User | None:
    """The account that the token signs in, None when it was used, expired or never was."""
    link = (
        OneTimeLink.objects.filter(
            token_hash=_digest(token), expires_at__gt=at, user__is_active=True
        )
        .select_related("user")
        .first()
    )
    # Of one table alone: on PostgreSQL, two who use the link at once would both pass a condition
    # that joins another.
    if link is None or not OneTimeLink.objects.filter(pk=link.pk, used_at=None).update(used_at=at):
        return None
    return link.user


def anybody_has_password() -> bool:
    """Whether some active account can sign in with a password."""
    return (
        User.objects.filter(is_active=True)
        .exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
        .exclude(password="")
        .exists()
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
