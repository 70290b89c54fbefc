"""Writes to API tokens: create, use, revoke."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import Group
from django.db import DatabaseError, connection
from django.db.models import Q

from boards.access.actors import Actor
from boards.access.permissions import Permission, scopes_of
from boards.models import ApiToken, User
from boards.queries.facts.accounts.credential_digests import token_digest
from boards.queries.facts.accounts.token_list import valid_tokens
from boards.registry.accounts.users import create_account
from boards.registry.commit import writing_site
from obeya import names
from obeya.errors import AlreadyClosed, AlreadyExists, InvalidInput, NotFound
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.records import Action
from obeya.tokens import (
    SHOWN_LENGTH,
    TOKEN_DAYS,
    TOKEN_DAYS_MAX,
    Grant,
    Scope,
    check_service_scopes,
    is_token,
    new_token,
    read_scopes,
)

_log = logging.getLogger(__name__)

TOKENS_MAX = 100
USE_NOTED_EVERY = timedelta(minutes=1)

GROUP_OF_SCOPE = {
    Scope.READ: "viewer",
    Scope.WRITE: "contributor",
    Scope.PROMOTE: "promoter",
    Scope.APPROVE: "approver",
    Scope.ADMIN: "administrator",
}
"""The group that has the permissions of each scope."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """The account and the token of a request, and what the token grants."""

    user: User
    grant: Grant
    token: ApiToken


def create_token(
    *,
    user: User,
    name: str,
    scopes: Iterable[str],
    model_globs: Iterable[str] = (),
    days: int = TOKEN_DAYS,
    allow_service_approval: bool = False,
    actor: Actor,
    at: datetime,
) -> tuple[ApiToken, str]:
    """Create a token of `user` that is valid for `days` days. Its text is returned and not stored.

    A service account gets the scope approve only with `allow_service_approval`.

    Raises:
        NotAllowed: the account is not the actor's own, or the actor came in by a token, and the
            actor does not have the administer permission.
        InvalidInput: the name, a scope, a glob or the days are invalid; the account itself does not
            have the permissions of a scope; it is a service account, and the scope approve was not
            allowed; or it has 100 valid tokens already.
    """
    if actor.user != user or actor.grant is not None:
        actor.require(Permission.ADMINISTER, None)
    actor.require(Permission.VIEW, None)
    name = names.token_name(name)
    grant = Grant(read_scopes(scopes), tuple(model_globs))
    if user.is_service:
        check_service_scopes(grant.scopes, allow_service_approval=allow_service_approval)
    if not 1 <= days <= TOKEN_DAYS_MAX:
        raise InvalidInput(
            f"A token can be valid for 1 to {TOKEN_DAYS_MAX} days.", field="expires_in_days"
        )
    for scope in sorted(grant.scopes - scopes_of(user)):
        raise InvalidInput(
            f"{user.username} does not have the permissions that the scope {scope} needs.",
            field="scopes",
        )
    text = new_token()
    with writing_site(actor=actor, at=at) as write:
        if valid_tokens(user, write.at).count() >= TOKENS_MAX:
            raise InvalidInput(
                f"{user.username} already has {TOKENS_MAX} tokens. Revoke one first.", field="name"
            )
        write.check_name(NewNames(NameKind.TOKEN), name)
        row = ApiToken.objects.create(
            user=user,
            name=name,
            shown=text[:SHOWN_LENGTH],
            token_hash=_digest(text),
            scopes=sorted(grant.scopes),
            model_globs=list(grant.models),
            created_at=write.at,
            created_by=actor.user,
            expires_at=write.at + timedelta(days=days),
        )
        write.record(
            Action.TOKEN_CREATED,
            data={
                "token": str(row.uid),
                "user": str(user.uid),
                "scopes": row.scopes,
                "models": row.model_globs,
                "expires_at": row.expires_at.isoformat(),
                "secret_digest": token_digest(row),
            },
            texts={"name": name},
        )
    return row, text


def revoke_token(*, uid: uuid.UUID, actor: Actor, at: datetime) -> ApiToken:
    """Revoke a token. The next request with it is refused.

    Raises:
        NotFound: there is no such token, or it is not the actor's own and the actor does not have
            the administer permission.
        AlreadyClosed: it was revoked already.
    """
    actor.require(Permission.VIEW, None)
    found = ApiToken.objects.select_related("user").filter(uid=uid).first()
    is_own = found is not None and found.user == actor.user and actor.grant is None
    if found is None or not (is_own or actor.may(Permission.ADMINISTER)):
        raise NotFound("There is no such token.", what="token")
    with writing_site(actor=actor, at=at) as write:
        if not ApiToken.objects.filter(pk=found.pk, revoked_at=None).update(revoked_at=write.at):
            raise AlreadyClosed("This token is already revoked.")
        found.revoked_at = write.at
        write.record(
            Action.TOKEN_REVOKED, data={"token": str(found.uid), "user": str(found.user.uid)}
        )
    return found


def use_token(*, text: str, at: datetime) -> Bearer | None:
    """Return the bearer of a token, None if the token is invalid, expired or revoked.

    Two statements at most: the time of last use is written once a minute. If it cannot be written
    immediately, the request does not fail, and the next one tries again.
    """
    if not is_token(text):
        return None
    row = (
        ApiToken.objects.select_related("user")
        .filter(token_hash=_digest(text), revoked_at=None, expires_at__gt=at, user__is_active=True)
        .first()
    )
    if row is None:
        return None
    if row.last_used_at is None or row.last_used_at <= at - USE_NOTED_EVERY:
        _note_use(row, at)
    return Bearer(row.user, Grant(read_scopes(row.scopes), tuple(row.model_globs)), row)


def _note_use(row: ApiToken, at: datetime) -> None:
    due = ApiToken.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lte=at - USE_NOTED_EVERY), pk=row.pk
    )
    try:
        with _without_waiting():
            due.update(last_used_at=at)
    except DatabaseError as error:
        # The database is read-only, or another process writes to it.
        _log.info("The last use of the token %s was not stored: %s", row.shown, error)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """Let a statement fail immediately if another process writes to the SQLite database.

    SQLite would wait for that process, and the request with it.
    """
    if connection.vendor != "sqlite":
        yield
        return
    # In a transaction, Django's cursor refuses statements after an error, so it could not restore
    # the timeout.
    raw = connection.connection
    (timeout,) = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA busy_timeout = {timeout}")


def service_account(
    *,
    username: str,
    scopes: Iterable[Scope],
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> User:
    """Return the service account of that name, in the groups that the scopes need.

    The account is created if it does not exist.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        AlreadyExists: a person has that name.
        SimilarName: another account has a similar name, and `allow_similar` is false.
        InvalidInput: the name is invalid.
    """
    actor.require(Permission.ADMINISTER, None)
    wanted = sorted({GROUP_OF_SCOPE[scope] for scope in scopes})
    # Looked up under the lock: concurrent callers would all find no account, and create it.
    with writing_site(actor=actor, at=at) as write:
        user = User.objects.filter(username__iexact=username.strip()).first()
        if user is None:
            user = create_account(
                write,
                username=username,
                group=wanted[0],
                is_service=True,
                allow_similar=allow_similar,
            )
        elif not user.is_service:
            raise AlreadyExists(
                f"“{username}” is a person's account. Choose another name for the service account.",
                field="account",
            )
        missing = sorted(set(wanted) - set(user.groups.values_list("name", flat=True)))
        if missing:
            user.groups.add(*Group.objects.filter(name__in=missing))
            write.record(
                Action.USER_CHANGED,
                data={"user": str(user.uid), "fields": ["groups"], "groups_added": missing},
            )
    return user


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
