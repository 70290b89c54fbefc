"""Answer a POST once, however often it is sent.

A request is claimed first, in a separate transaction, so that a concurrent second one sees it; then
it is answered, and the answer stored, in one transaction. So a claim without an answer has changed
nothing. Once its owner had enough time, another request can take it over.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from boards.access.sealing import SEALED, Unopenable, seal, unseal
from boards.models import IdempotentRequest, User
from obeya.errors import IdempotencyKeyInUse, IdempotencyKeyReused

TAKEN_OVER_AFTER = timedelta(minutes=2)
KEPT_FOR = timedelta(days=7)
SWEPT_AT_ONCE = 100
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it is sent; `replayed` if it was stored by an earlier request."""

    status: int
    headers: dict[str, str]
    body: str
    replayed: bool = False


def answer_once(
    *, user: User, key: str, fingerprint: str, answer: Callable[[], Answer], at: datetime
) -> Answer:
    """Return what was answered to this key before, or else the result of `answer`.

    `fingerprint` is that of the whole request. What `answer` writes is committed together with its
    answer. An answer of 500 and above is not stored, and what led to it is rolled back.

    Raises:
        IdempotencyKeyReused: the key was used for another request before.
        IdempotencyKeyInUse: the same request is being answered now.
    """
    claim = _claim(user, key, fingerprint, at)
    if isinstance(claim, Answer):
        return claim
    mine = IdempotentRequest.objects.filter(user=user, key=key, claim=claim)
    try:
        with transaction.atomic():
            given = answer()
            if given.status >= SERVER_ERROR:
                raise _Broken(given)
            # Sealed, because an answer can contain a new token or secret.
            kept = mine.update(status=given.status, headers=given.headers, answer=seal(given.body))
            if not kept:
                # It took so long that another request took the claim over.
                raise IdempotencyKeyInUse
            return given
    except _Broken as broken:
        mine.delete()
        return broken.answer
    except BaseException:
        mine.delete()
        raise


class _Broken(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def _claim(user: User, key: str, fingerprint: str, at: datetime) -> uuid.UUID | Answer:
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
            return Answer(
                status=found.status,
                headers=found.headers,
                body=_opened(found.answer),
                replayed=True,
            )
        if found.claimed_at > at - TAKEN_OVER_AFTER:
            raise IdempotencyKeyInUse from None
        taken = IdempotentRequest.objects.filter(pk=found.pk, claim=found.claim, status=None)
        if not taken.update(claim=claim, claimed_at=at):
            raise IdempotencyKeyInUse from None
    return claim


def _opened(answer: str) -> str:
    """Return the stored answer. One that was sealed under another SECRET_KEY is lost."""
    if not answer.startswith(SEALED):
        # Stored by an earlier version, unsealed.
        return answer
    try:
        return unseal(answer)
    except Unopenable:
        raise IdempotencyKeyInUse from None


def _sweep(at: datetime) -> None:
    """Delete some expired answers: more per call than are added, if that many have expired."""
    old = IdempotentRequest.objects.filter(claimed_at__lt=at - KEPT_FOR).order_by("claimed_at")
    keys = list(old.values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    if keys:
        IdempotentRequest.objects.filter(pk__in=keys).delete()
