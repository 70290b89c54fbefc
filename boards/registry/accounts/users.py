"""Writes to accounts: users and sign-in links."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone

from boards.access.actors import Actor
from boards.access.permissions import GROUPS, Permission
from boards.models import OneTimeLink, User
from boards.queries.facts.accounts.account_permissions import (
    AccountPermissions,
    account_permissions,
)
from boards.queries.facts.accounts.credential_digests import link_digest
from boards.registry.commit import ChainWrite, writing_site
from obeya.audit.chain import SYSTEM_ACTOR, timestamp
from obeya.errors import AlreadyExists, InvalidInput
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
from obeya.records import Action, Channel

ADMINISTRATOR = "administrator"

# Columns that are permissions themselves: for these the log contains the new values.
_FLAGS = ("is_active", "is_staff", "is_superuser")


def create_user(
    *,
    username: str,
    group: str,
    email: str = "",
    password: str | None = None,
    is_service: bool = False,
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> User:
    """Create an account in one of the groups. Without a password it signs in by a sign-in link.

    An administrator can also use the admin pages; a service account can use tokens only.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        InvalidInput: there is no such group, or the name or address is invalid.
        AlreadyExists: the name is taken.
        SimilarName: an account has a similar name, and `allow_similar` is false.
    """
    actor.require(Permission.ADMINISTER, None)
    # Before the transaction, which can hold the lock of all writers: a hash takes long.
    password_hash = make_password(password or None)
    with writing_site(actor=actor, at=at) as write:
        return create_account(
            write,
            username=username,
            group=group,
            email=email,
            password_hash=password_hash,
            is_service=is_service,
            allow_similar=allow_similar,
        )


def create_account(
    write: ChainWrite,
    *,
    username: str,
    group: str,
    email: str = "",
    password_hash: str | None = None,
    is_service: bool = False,
    allow_similar: bool = False,
) -> User:
    """Create an account in a write to the site chain, as `create_user` does.

    Raises `InvalidInput`, `AlreadyExists` and `SimilarName`.
    """
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
    if is_reserved(username):
        raise InvalidInput(
            f"The name “{username}” is reserved for the registry itself.", field="username"
        )
    if User.objects.filter(username__iexact=username).exists():
        raise AlreadyExists(f"An account named “{username}” already exists.", field="username")
    by_name = dict(User.objects.values_list("username", "uid"))
    known = NewNames(NameKind.ACCOUNT, by_name)
    similar = [
        str(by_name[name])
        for name in write.check_name(known, username, allow_similar=allow_similar)
    ]
    user = User(
        username=username,
        email=email,
        is_staff=group == ADMINISTRATOR and not is_service,
        is_superuser=group == ADMINISTRATOR and not is_service,
        is_service=is_service,
        date_joined=write.at,
        password=password_hash or make_password(None),
    )
    user.save(force_insert=True)
    user.groups.add(Group.objects.get(name=group))
    flags = {"is_staff": user.is_staff, "is_superuser": user.is_superuser}
    service = {"service": True} if is_service else {}
    write.record(
        Action.USER_CREATED,
        data={"user": str(user.uid), "group": group, **flags, **service, **similar_to(similar)},
        texts={"username": username},
    )
    return user


def is_reserved(username: str) -> bool:
    """Return whether pages and exports use this name for the registry itself, ignoring case."""
    return User.normalize_username(username).strip().casefold() == SYSTEM_ACTOR


def record_user_change(
    *,
    user: User,
    made: bool,
    fields: tuple[str, ...],
    before: AccountPermissions,
    actor: Actor,
    at: datetime,
) -> None:
    """Log that Django created an account or changed columns of it, such as the admin.

    Django has written the account in the same transaction. `fields` are the columns changed: the
    log contains their names but not their values, except for those that are permissions and, as a
    text, the username. `before` is what the account had before the change; the event lists the
    names of groups and permissions that were added or removed. A change of the password invalidates
    the account's open sign-in links.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    after = account_permissions(user)
    data: dict[str, Any] = {flag: getattr(user, flag) for flag in _FLAGS if made or flag in fields}
    for held, then, now in (
        ("groups", before.groups, after.groups),
        ("permissions", before.permissions, after.permissions),
    ):
        data |= {f"{held}_added": sorted(now - then), f"{held}_removed": sorted(then - now)}
    with writing_site(actor=actor, at=at) as write:
        _record_change(
            write,
            user,
            fields,
            {key: value for key, value in data.items() if value != []},
            action=Action.USER_CREATED if made else Action.USER_CHANGED,
        )


def record_created_account(user: User, **_: Any) -> None:
    """Log an account that Django created, as its command does. Receiver of `account_created`."""
    record_user_change(
        user=user,
        made=True,
        fields=(),
        before=AccountPermissions(),
        actor=Actor(None, Channel.CLI),
        at=timezone.now(),
    )


def set_password(*, user: User, password: str, actor: Actor, at: datetime) -> None:
    """Set the password of an account and invalidate its open sign-in links.

    The form checks the strength of the password, and whether the old one was given.

    Raises:
        NotAllowed: the account is not the actor's own, and the actor does not have the administer
            permission.
    """
    if actor.user != user:
        actor.require(Permission.ADMINISTER, None)
    # Before the transaction, which can hold the lock of all writers: a hash takes long.
    user.set_password(password)
    with writing_site(actor=actor, at=at) as write:
        user.save(update_fields=["password"])
        _record_change(write, user, ("password",), {})


def create_sign_in_link(*, user: User, actor: Actor, at: datetime) -> str:
    """Create a sign-in link for `user` and return its token.

    It works once, within a day; older unused links stop working. The event contains the account
    and a digest of the stored hash, from which the token cannot be computed.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    token = secrets.token_urlsafe(32)
    with writing_site(actor=actor, at=at) as write:
        _end_links(user)
        link = OneTimeLink.objects.create(
            user=user,
            token_hash=link_hash(token),
            created_at=write.at,
            expires_at=write.at + OneTimeLink.LIFETIME,
        )
        write.record(
            Action.USER_LINK_MADE,
            data={
                "user": str(user.uid),
                "link_digest": link_digest(link),
                "expires_at": timestamp(link.expires_at),
            },
        )
    return token


def use_sign_in_link(*, token: str, at: datetime) -> User | None:
    """Return the account that the token signs in, None if it was used, expired or never existed."""
    link = (
        OneTimeLink.objects.filter(
            token_hash=link_hash(token),
            expires_at__gt=at,
            user__is_active=True,
            user__is_service=False,
        )
        .select_related("user")
        .first()
    )
    # A condition on this table only: on PostgreSQL, two concurrent uses of the link would both pass
    # a condition that joins another table.
    if link is None or not OneTimeLink.objects.filter(pk=link.pk, used_at=None).update(used_at=at):
        return None
    return link.user


def anyone_has_password() -> bool:
    """Return whether at least one active account can sign in with a password."""
    return (
        User.objects.filter(is_active=True)
        .exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
        .exclude(password="")
        .exists()
    )


def _record_change(
    write: ChainWrite,
    user: User,
    fields: tuple[str, ...],
    more: Mapping[str, Any],
    action: Action = Action.USER_CHANGED,
) -> None:
    if "password" in fields:
        _end_links(user)
    is_named = action is Action.USER_CREATED or "username" in fields
    write.record(
        action,
        data={"user": str(user.uid), "fields": sorted(fields), **more},
        texts={"username": user.username} if is_named else None,
    )


def _end_links(user: User) -> None:
    OneTimeLink.objects.filter(user=user, used_at=None).delete()


def link_hash(token: str) -> str:
    """Return the hash of the token of a sign-in link, which is stored instead of it."""
    return hashlib.sha256(token.encode()).hexdigest()
