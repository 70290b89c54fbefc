"""Open transition requests, with their reviews."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from boards import models
from boards.access.actors import display_name
from boards.access.permissions import Permission, holders
from obeya.stages import Stage
from obeya.transitions import requests
from obeya.transitions.requests import Decision, RequestStatus, Review


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """An open request: its row and the reviews so far, the oldest first."""

    row: models.TransitionRequest
    reviews: tuple[Review, ...]

    @property
    def requested_by(self) -> str:
        """The name of the requester."""
        return display_name(self.row.requested_by)

    def approvals(self, digest: str) -> tuple[Review, ...]:
        """Return the approvals of the evidence with this digest."""
        return requests.approvals(self.reviews, self.requested_by, digest)


def open_requests(version_ids: Collection[int], at: datetime) -> dict[tuple[int, str], OpenRequest]:
    """Return the requests open at a time, by version and target stage; two statements."""
    rows = list(
        models.TransitionRequest.objects.filter(
            version__in=version_ids, status=RequestStatus.OPEN.value, expires_at__gt=at
        ).select_related("requested_by")
    )
    reviews = reviews_of(rows)
    return {
        (row.version_id, row.to_stage): OpenRequest(row, tuple(reviews.get(row.pk, ())))
        for row in rows
    }


def open_request_uid(version_id: int, stage: Stage, at: datetime) -> uuid.UUID | None:
    """Return the request to move a version to `stage` that is open at a time; one statement."""
    return (
        models.TransitionRequest.objects.filter(
            version=version_id,
            to_stage=stage.value,
            status=RequestStatus.OPEN.value,
            expires_at__gt=at,
        )
        .values_list("uid", flat=True)
        .first()
    )


def reviews_of(rows: Collection[models.TransitionRequest]) -> dict[int, list[Review]]:
    """Return the reviews on requests, by request, the oldest first.

    Two statements, none without requests.
    """
    reviews: dict[int, list[Review]] = defaultdict(list)
    if not rows:
        return reviews
    found = models.Vote.objects.filter(request__in=[row.pk for row in rows])
    given = list(found.select_related("voter").order_by("pk"))
    entitled = holders(Permission.APPROVE, {review.voter_id for review in given if review.voter_id})
    for review in given:
        reviews[review.request_id].append(
            Review(
                display_name(review.voter),
                Decision(review.decision),
                review.evidence_digest,
                review.voted_at,
                review.comment,
                may_approve=review.voter_id is None or review.voter_id in entitled,
                is_service=review.voter is not None and review.voter.is_service,
            )
        )
    return reviews
