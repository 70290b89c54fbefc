"""Answering a POST once, however often it is sent.

A request is claimed first, in a transaction of its own, so that a second one that comes meanwhile
knows of it; then it is answered, and the answer kept, in one transaction. So a claim without an
answer did nothing, and may be taken over by the next once whoever made it had time enough.
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
    """An answer as it goes over the wire; `replayed` when it was given before."""

    status: int
    headers: dict[str, str]
    body: str
    replayed: bool = False


def answer_once(
    *, user: User, key: str, fingerprint: str, answer: Callable[[], Answer], at: datetime
) -> Answer:
    """What was answered to this key before, or what `answer` says now.

    `fingerprint` is that of the whole request. What `answer` writes is committed together with
    its answer. An answer of 500 and above is not kept, and what led to it is undone.

    Raises:
        IdempotencyKeyReused: the key came with another request before.
        IdempotencyKeyInUse: the same request is being answered at this moment.
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
            # Sealed, as an answer may hold a new token or secret.
            kept = mine.update(status=given.status, headers=given.headers, answer=seal(given.body))
            if not kept:
                # It took so long that another took it over.
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
    """The answer that was kept. One sealed under another SECRET_KEY is lost."""
    if not answer.startswith(SEALED):
        # Kept by an earlier version.
        return answer
    try:
        return unseal(answer)
    except Unopenable:
        raise IdempotencyKeyInUse from None


def _sweep(at: datetime) -> None:
    """Forget some of what was kept long enough; as much is added as is swept, or less."""
    old = IdempotentRequest.objects.filter(claimed_at__lt=at - KEPT_FOR).order_by("claimed_at")
    keys = list(old.values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    if keys:
        IdempotentRequest.objects.filter(pk__in=keys).delete()
