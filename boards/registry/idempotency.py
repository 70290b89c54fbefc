"""Answer a POST once, however often it is sent.

A request is claimed first, in a separate transaction, so that a concurrent second one sees it; then
it is answered, and the answer stored, in one transaction. So a claim without an answer has changed
nothing. Once its owner had enough time, another request can take it over.

A key belongs to an account, and a repeated request can have another token. The answer is therefore
stored with the permissions that the first request needed, and repeated only to an actor that has
them now.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from django.db import IntegrityError, transaction

from boards.access.actors import Actor, PassedPermission
from boards.models import IdempotentRequest, User
from obeya.errors import IdempotencyKeyInUse, IdempotencyKeyReused, SecretNotRepeated

TAKEN_OVER_AFTER = timedelta(minutes=2)
KEPT_FOR = timedelta(days=7)
SWEPT_AT_ONCE = 100
SERVER_ERROR = 500

# These requests changed nothing. A repeat is examined again: its token or the data can be
# different.
_NOT_STORED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it is sent.

    `has_secret`: it is never stored. `replayed`: it was stored by an earlier request.
    """

    status: int
    headers: dict[str, str]
    body: str
    has_secret: bool = False
    replayed: bool = False


def answer_once(
    *,
    actor: Actor,
    key: str,
    fingerprint: str,
    answer: Callable[[Actor], Answer],
    at: datetime,
) -> Answer:
    """Return what was answered to this key before, or else the result of `answer`.

    The key belongs to the account of `actor`; `answer` is called with the actor that it has to use.
    `fingerprint` is that of the whole request. What `answer` writes is committed together with its
    answer. An answer of 500 and above is not stored, and what led to it is rolled back.

    Raises:
        NotAllowed: the actor lacks a permission that the first request needed.
        SecretNotRepeated: the answer to the first request contained a secret.
        IdempotencyKeyReused: the key was used for another request before.
        IdempotencyKeyInUse: the same request is being answered now.
    """
    user = actor.user
    if user is None:
        raise TypeError("A key belongs to an account; the registry itself has none.")
    claim = _claim(user, key, fingerprint, at)
    if isinstance(claim, IdempotentRequest):
        return _repeated(claim, actor)
    mine = IdempotentRequest.objects.filter(user=user, key=key, claim=claim)
    passed: list[PassedPermission] = []
    try:
        with transaction.atomic():
            given = answer(replace(actor, passed_permissions=passed))
            if given.status >= SERVER_ERROR or given.status in _NOT_STORED:
                raise _NotStored(given)
            kept = mine.update(
                status=given.status,
                headers={} if given.has_secret else given.headers,
                answer="" if given.has_secret else given.body,
                checks=json.dumps([each.to_document() for each in passed]),
                has_secret=given.has_secret,
            )
            if not kept:
                # It took so long that another request took the claim over.
                raise IdempotencyKeyInUse
            return given
    except _NotStored as not_stored:
        mine.delete()
        return not_stored.answer
    except BaseException:
        mine.delete()
        raise


class _NotStored(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def _repeated(found: IdempotentRequest, actor: Actor) -> Answer:
    """Return the stored answer if the actor has the permissions that the first request needed."""
    for document in json.loads(found.checks or "[]"):
        actor.require_again(PassedPermission.from_document(document))
    if found.has_secret or found.status is None:
        raise SecretNotRepeated
    return Answer(status=found.status, headers=found.headers, body=found.answer, replayed=True)


def _claim(user: User, key: str, fingerprint: str, at: datetime) -> uuid.UUID | IdempotentRequest:
    """Return the new claim, or the request with its answer if there is one."""
    claim = uuid.uuid4()
    _sweep(at)
    try:
        with transaction.atomic():
            IdempotentRequest.objects.create(
                user=user, key=key, fingerprint=fingerprint, claim=claim, claimed_at=at
            )
    except IntegrityError:
        found = IdempotentRequest.objects.filter(user=user, key=key).first()
        if found is None:
            raise IdempotencyKeyInUse from None
        if found.fingerprint != fingerprint:
            raise IdempotencyKeyReused from None
        if found.status is not None:
            return found
        if found.claimed_at > at - TAKEN_OVER_AFTER:
            raise IdempotencyKeyInUse from None
        taken = IdempotentRequest.objects.filter(pk=found.pk, claim=found.claim, status=None)
        if not taken.update(claim=claim, claimed_at=at):
            raise IdempotencyKeyInUse from None
    return claim


def _sweep(at: datetime) -> None:
    """Delete some expired answers: more per call than are added, if that many have expired."""
    old = IdempotentRequest.objects.filter(claimed_at__lt=at - KEPT_FOR).order_by("claimed_at")
    keys = list(old.values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    if keys:
        IdempotentRequest.objects.filter(pk__in=keys).delete()
