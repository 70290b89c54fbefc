"""Writes of the delivery workers: lease due deliveries and record attempts."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import Permission
from boards.models.webhooks import EXCERPT_MAX
from boards.queries.verification.verification_state import chain_heads
from boards.registry.messages import OutgoingMessage, enabled_webhooks, send
from boards.registry.webhooks.endpoints import disable_webhook
from boards.registry.worker_channel import notify_workers
from obeya.errors import InvalidInput, NotFound
from obeya.webhooks.endpoints import HEADS
from obeya.webhooks.messages import heads_message
from obeya.webhooks.schedule import DISABLED_AFTER, GONE, DeliveryStatus, next_attempt_at

HEADS_AT_ONCE = 1_000
SWEPT_AT_ONCE = 1_000
logger = logging.getLogger("obeya.heads")
_PENDING = DeliveryStatus.PENDING.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A delivery that is reserved for this worker until the lease expires."""

    pk: int
    lease: uuid.UUID
    webhook: models.Webhook
    message: models.WebhookMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of an attempt.

    `status_code` None: there was no response, and `error` says why.
    """

    milliseconds: int
    request_headers: Mapping[str, str] = field(default_factory=dict)
    status_code: int | None = None
    response: str = ""
    error: str = ""

    @property
    def arrived(self) -> bool:
        """Whether the message was delivered: the response has a status from 200 to 299."""
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that ended at `made_at`; `chance` from 0 to 1 spreads the time of the next."""

    leased: Leased
    outcome: Outcome
    made_at: datetime
    chance: float = 0.0


def lease_due(*, limit: int, per_webhook: int, seconds: int, at: datetime) -> list[Leased]:
    """Lease up to `limit` deliveries that are due, for `seconds`.

    At most `per_webhook` deliveries of an endpoint are leased at a time, over all workers, so that
    an endpoint that hangs delays no other. An expired lease is taken over.
    """
    leased = models.Delivery.objects.filter(webhook=OuterRef("pk"), leased_until__gt=at)
    due = models.Delivery.objects.filter(_is_due(at), _is_free(at), webhook=OuterRef("pk"))
    # Read without a transaction first: on SQLite that would take the lock of all writers.
    waiting = (
        models.Webhook.objects.filter(Exists(due), disabled_at=None, removed_at=None)
        .annotate(under_way=Coalesce(Subquery(_counted(leased)), 0))
        .filter(under_way__lt=per_webhook)
    )
    taken: list[Leased] = []
    for webhook in waiting.order_by("pk").values_list("pk", flat=True):
        if len(taken) >= limit:
            break
        taken += _lease(webhook, min(per_webhook, limit - len(taken)), per_webhook, seconds, at)
    return taken


def _counted(rows: QuerySet[models.Delivery]) -> QuerySet[Any, Any]:
    """Return a query that counts the rows, for a subquery."""
    return rows.order_by().values("webhook").annotate(count=Count("pk")).values("count")


def _lease(webhook: int, wanted: int, per_webhook: int, seconds: int, at: datetime) -> list[Leased]:
    lease, until = uuid.uuid4(), at + timedelta(seconds=seconds)
    with transaction.atomic():
        # Locked, so that two workers together do not exceed the limit of one endpoint.
        holder = models.Webhook.objects.select_for_update(of=("self",), skip_locked=True)
        row = holder.filter(pk=webhook, disabled_at=None, removed_at=None).first()
        if row is None:
            return []
        mine = models.Delivery.objects.filter(webhook=row)
        room = min(wanted, per_webhook - mine.filter(leased_until__gt=at).count())
        if room <= 0:
            return []
        rows = list(
            mine.filter(_is_due(at), _is_free(at))
            .select_related("message")
            .order_by("next_attempt_at", "pk")[:room]
        )
        models.Delivery.objects.filter(pk__in=[each.pk for each in rows]).update(
            lease=lease, leased_until=until
        )
    return [Leased(pk=each.pk, lease=lease, webhook=row, message=each.message) for each in rows]


def next_due(*, after: datetime) -> datetime | None:
    """Return when the next retry is due or the next lease expires; None if neither will happen."""
    rows = models.Delivery.objects
    retry = rows.filter(status=_PENDING, next_attempt_at__gt=after)
    expiry = rows.filter(leased_until__gt=after)
    moments = (
        retry.aggregate(first=Min("next_attempt_at"))["first"],
        expiry.aggregate(first=Min("leased_until"))["first"],
    )
    return min(filter(None, moments), default=None)


def _is_due(at: datetime) -> Q:
    return Q(status=_PENDING, next_attempt_at__lte=at)


def _is_free(at: datetime) -> Q:
    return Q(leased_until__isnull=True) | Q(leased_until__lte=at)


def record_attempts(attempts: Sequence[Attempt]) -> int:
    """Record the outcome of attempts; return how many. One whose lease was lost is not recorded.

    A 410 disables the endpoint, and so do five days of failures only.
    """
    with transaction.atomic():
        rows = models.Delivery.objects.select_for_update(of=("self",)).order_by("pk")
        held = {
            (pk, lease): made
            for pk, lease, made in rows.filter(
                pk__in=[each.leased.pk for each in attempts], status=_PENDING
            ).values_list("pk", "lease", "attempts_made")
        }
        kept = [each for each in attempts if (each.leased.pk, each.leased.lease) in held]
        models.DeliveryAttempt.objects.bulk_create(
            models.DeliveryAttempt(
                delivery_id=each.leased.pk,
                made_at=each.made_at,
                milliseconds=each.outcome.milliseconds,
                request_headers=dict(each.outcome.request_headers),
                status_code=each.outcome.status_code,
                response=_storable(each.outcome.response),
                error=_storable(each.outcome.error),
            )
            for each in kept
        )
        arrived = [each for each in kept if each.outcome.arrived]
        if arrived:
            _end(
                [each.leased.pk for each in arrived],
                DeliveryStatus.DELIVERED,
                at=max(each.made_at for each in arrived),
            )
        for each in kept:
            if not each.outcome.arrived:
                _retry_or_fail(each, held[each.leased.pk, each.leased.lease] + 1)
    _note_health(kept)
    return len(kept)


def _end(deliveries: list[int], status: DeliveryStatus, *, at: datetime) -> None:
    models.Delivery.objects.filter(pk__in=deliveries).update(
        attempts_made=F("attempts_made") + 1,
        status=status.value,
        next_attempt_at=None,
        lease=None,
        leased_until=None,
        finished_at=at,
    )


def _retry_or_fail(attempt: Attempt, attempts_made: int) -> None:
    following = next_attempt_at(attempts_made, attempt.made_at, attempt.chance)
    if following is None:
        _end([attempt.leased.pk], DeliveryStatus.FAILED, at=attempt.made_at)
        return
    models.Delivery.objects.filter(pk=attempt.leased.pk).update(
        attempts_made=attempts_made, next_attempt_at=following, lease=None, leased_until=None
    )


def _storable(text: str) -> str:
    """Return the beginning of a text, without characters that the databases refuse."""
    cut = text[:EXCERPT_MAX].replace("\x00", "\ufffd")
    return cut.encode("utf-8", "replace").decode()


def _note_health(attempts: Sequence[Attempt]) -> None:
    """Store since when the attempts of each endpoint fail; disable endpoints that fail too long."""
    arrived = {each.leased.webhook.pk for each in attempts if each.outcome.arrived}
    if arrived:
        healthy = models.Webhook.objects.filter(pk__in=arrived, failing_since__isnull=False)
        healthy.update(failing_since=None)
    for each in attempts:
        if not each.outcome.arrived and each.leased.webhook.pk not in arrived:
            _note_failure(each.leased.webhook, each.outcome, each.made_at)


def _note_failure(webhook: models.Webhook, outcome: Outcome, at: datetime) -> None:
    rows = models.Webhook.objects.filter(pk=webhook.pk)
    rows.filter(failing_since__isnull=True).update(failing_since=at)
    since = rows.values_list("failing_since", flat=True).first()
    if outcome.status_code == GONE:
        why = "The receiver answered 410 (Gone)."
    elif since is not None and at - since >= DISABLED_AFTER:
        why = f"Every delivery failed for {DISABLED_AFTER.days} days."
    else:
        return
    try:
        disable_webhook(uid=webhook.uid, reason=why, actor=SYSTEM, at=at)
    except NotFound:
        # It was removed since.
        return


def replay(*, pk: int, actor: Actor, at: datetime) -> models.Delivery:
    """Send a delivery again, whatever its status; its attempts are kept.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such delivery.
        InvalidInput: its endpoint is disabled or removed, or an attempt is in progress.
    """
    actor.require(Permission.ADMINISTER, None)
    with transaction.atomic():
        rows = models.Delivery.objects.select_for_update(of=("self",)).select_related("webhook")
        row = rows.filter(pk=pk).first()
        if row is None:
            raise NotFound("There is no such delivery.", what="delivery")
        _require_enabled(row.webhook)
        if row.status == _PENDING and row.leased_until and row.leased_until > at:
            raise InvalidInput("This delivery is being sent now.")
        _again(models.Delivery.objects.filter(pk=row.pk), at)
        row.refresh_from_db()
    return row


def replay_failed(*, uid: uuid.UUID, since: datetime, actor: Actor, at: datetime) -> int:
    """Send all deliveries again that failed or were cancelled since then. Return their number.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
        InvalidInput: the endpoint is disabled.
    """
    actor.require(Permission.ADMINISTER, None)
    webhook = models.Webhook.objects.filter(uid=uid, removed_at=None).first()
    if webhook is None:
        raise NotFound("There is no such endpoint.", what="webhook")
    _require_enabled(webhook)
    lost = (DeliveryStatus.FAILED.value, DeliveryStatus.CANCELLED.value)
    rows = models.Delivery.objects.filter(webhook=webhook, status__in=lost, created_at__gte=since)
    return _again(rows, at)


def _require_enabled(webhook: models.Webhook) -> None:
    if webhook.removed_at is not None or webhook.disabled_at is not None:
        raise InvalidInput("This endpoint is disabled. Enable it first.")


def _again(rows: QuerySet[models.Delivery], at: datetime) -> int:
    count = rows.update(
        status=_PENDING,
        attempts_made=0,
        next_attempt_at=at,
        lease=None,
        leased_until=None,
        finished_at=None,
    )
    notify_workers()
    return count


def publish_heads(*, at: datetime) -> int:
    """Publish the head of every chain, once a day (UTC). Return their number, 0 if already done.

    The endpoints that subscribed to the heads get messages of up to 1,000 heads. The log of the
    process gets a line with the digest of all heads, and one for each chain that grew since they
    were last published.
    """
    day = at.astimezone(UTC).date()
    if models.HeadsPublished.objects.filter(day=day).exists():
        return 0
    with transaction.atomic():
        before = models.HeadsPublished.objects.order_by("-day").first()
        heads = list(chain_heads(None))
        listing = "".join(f"{head}\n" for head in heads)
        digest = hashlib.sha256(listing.encode()).hexdigest()
        last = models.AuditEvent.objects.aggregate(last=Max("pk"))["last"] or 0
        _, is_first = models.HeadsPublished.objects.get_or_create(
            day=day, defaults={"published_at": at, "digest": digest, "last_event": last}
        )
        if not is_first:
            return 0
        grown = _chains_since(before.last_event) if before else set()
        wanting = [row for row in enabled_webhooks() if HEADS in row.types]
        parts = [
            heads[start : start + HEADS_AT_ONCE] for start in range(0, len(heads), HEADS_AT_ONCE)
        ]
        outgoing = [
            OutgoingMessage(
                heads_message(part, day=str(day), part=number, parts=len(parts), at=at), wanting
            )
            for number, part in enumerate(parts if wanting else [], 1)
        ]
        send(outgoing, at=at)
    logger.info("Heads of %s chains on %s: sha256:%s", len(heads), day, digest)
    for head in heads:
        if head.chain in grown:
            logger.info("Head of chain on %s: %s", day, head)
    return len(heads)


def _chains_since(event: int) -> set[str]:
    """Return the ids of chains that have an event after this one."""
    events = models.AuditEvent.objects.filter(pk__gt=event)
    grown = set(events.filter(model__isnull=False).values_list("model__uid", flat=True).distinct())
    if events.filter(model__isnull=True).exists():
        grown |= set(models.SiteChain.objects.values_list("uid", flat=True))
    return {str(uid) for uid in grown}


def sweep_deliveries(*, older_than: datetime) -> int:
    """Delete deliveries that ended before then, with their attempts and their unused messages.

    Returns the number of deliveries, at most 1,000 per call.
    """
    with transaction.atomic():
        ended = models.Delivery.objects.filter(finished_at__lt=older_than).order_by("pk")
        pks = list(ended.values_list("pk", flat=True)[:SWEPT_AT_ONCE])
        models.DeliveryAttempt.objects.filter(delivery__in=pks).delete()
        models.Delivery.objects.filter(pk__in=pks).delete()
        left = models.Delivery.objects.filter(message=OuterRef("pk"))
        models.WebhookMessage.objects.filter(~Exists(left), created_at__lt=older_than).delete()
    return len(pks)
