"""Transition requests as records of the core."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q, QuerySet

from boards import models
from boards.access.actors import display_name
from boards.queries.facts.evidence import MoveFacts
from boards.queries.facts.open_requests import reviews_of
from boards.queries.paging.keyset import Cursor
from obeya.stages import Stage
from obeya.transitions.requests import RequestStatus, TransitionRequest


def requests_of(
    model: models.RegisteredModel, version: models.ModelVersion | None, at: datetime
) -> list[TransitionRequest]:
    """Return the requests for a version, or (None) for all of the model's, the newest first."""
    rows = models.TransitionRequest.objects.filter(version__model=model, version__deleted_at=None)
    if version is not None:
        rows = rows.filter(version=version)
    return request_records(list(with_people(rows).order_by("-pk")), at)


def requests_page(
    within: Q,
    status: RequestStatus | None,
    *,
    after: Cursor | None,
    limit: int,
    at: datetime,
) -> tuple[list[models.TransitionRequest], Cursor | None]:
    """Return requests, the newest first, and the cursor to continue from or None; one statement."""
    found = models.TransitionRequest.objects.filter(
        within & with_status(status, at),
        version__deleted_at=None,
        version__model__deleted_at=None,
    )
    if after is not None:
        found = found.filter(after.older("opened_at"))
    rows = list(with_people(found).order_by("-opened_at", "-pk")[: limit + 1])
    shown = rows[:limit]
    return shown, Cursor(shown[-1].opened_at, shown[-1].pk) if len(rows) > limit else None


def with_status(status: RequestStatus | None, at: datetime) -> Q:
    """Return the condition that a request has this status at a time; None matches every status.

    A row can have the status open after its expiry, until the next write to its model closes it.
    """
    is_open = Q(status=RequestStatus.OPEN.value)
    match status:
        case None:
            return Q()
        case RequestStatus.OPEN:
            return is_open & Q(expires_at__gt=at)
        case RequestStatus.EXPIRED:
            return Q(status=status.value) | (is_open & Q(expires_at__lte=at))
    return Q(status=status.value)


def request_record(row: models.TransitionRequest, at: datetime) -> TransitionRequest:
    """Return one request as a record of the core."""
    rows = with_people(models.TransitionRequest.objects.filter(pk=row.pk))
    return request_records(list(rows), at)[0]


def with_people(
    rows: QuerySet[models.TransitionRequest],
) -> QuerySet[models.TransitionRequest]:
    """Return the rows with everything that `request_records` reads of them."""
    return rows.select_related("version__model__champion", "requested_by", "closed_by")


def request_records(
    rows: Sequence[models.TransitionRequest], at: datetime
) -> list[TransitionRequest]:
    """Return requests as records of the core, in the order given; a fixed number of statements.

    Each row's `version`, its `model`, that one's `champion` and `requested_by` must have been
    fetched with it.
    """
    reviews = reviews_of(rows)
    still_open = [row for row in rows if row.status == RequestStatus.OPEN.value]
    source = MoveFacts([row.version for row in still_open], with_digest=True, at=at)
    facts = {row.pk: source.of(row.version, Stage(row.to_stage)) for row in still_open}
    digests = {pk: found.evidence_digest for pk, found in facts.items()}
    counting = {pk for pk, found in facts.items() if found.counts_services}
    return [
        TransitionRequest(
            id=str(row.uid),
            model=row.version.model.name,
            version=row.version.number,
            from_stage=Stage(row.from_stage),
            to_stage=Stage(row.to_stage),
            reason=row.reason,
            requested_by=display_name(row.requested_by),
            opened_at=row.opened_at,
            expires_at=row.expires_at,
            status=RequestStatus.EXPIRED
            if row.pk in digests and row.expires_at <= at
            else RequestStatus(row.status),
            evidence_digest=digests.get(row.pk, row.evidence_digest),
            reviews=tuple(reviews.get(row.pk, ())),
            archive_existing=row.archive_existing,
            count_service_approvals=row.pk in counting,
        )
        for row in rows
    ]
