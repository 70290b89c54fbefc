"""The inbox of transition requests: those that need a person's review, their own, and all."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from boards import models
from boards.access.actors import display_name
from boards.access.permissions import Permission, has_permission
from boards.queries.board.board_columns import Lamp
from boards.queries.checks.frozen_check import policy_result_lamp
from boards.queries.facts.evidence import MoveFacts
from boards.queries.facts.requests import with_people, with_status
from boards.queries.paging.keyset import Cursor
from obeya import names
from obeya.errors import InvalidInput
from obeya.stages import Stage
from obeya.transitions.judge import TransitionJudgement, judge_transition
from obeya.transitions.requests import Decision, RequestStatus, Review, last_reviews

PAGE = 30
ROUNDS = 10
COUNT_CAP = 99
_NAME_MAX = 256


class Inbox(StrEnum):
    """The views of the inbox."""

    WAITING = "waiting"
    MINE = "mine"
    ALL = "all"

    @property
    def label(self) -> str:
        """The text of the view's link."""
        return {"waiting": "Needs my review", "mine": "My requests", "all": "All"}[self.value]


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """The view of the inbox; `status` and `model` filter the view of all requests."""

    inbox: Inbox = Inbox.ALL
    status: RequestStatus | None = None
    model: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, str], *, default: Inbox) -> InboxQuery:
        """Parse the parameters of a URL.

        Raises:
            InvalidInput: there is no such view or status, or the name is too long.
        """
        inbox, status = values.get("view", ""), values.get("status", "")
        model = values.get("model", "").strip()
        if inbox and inbox not in list(Inbox):
            raise InvalidInput(
                f"Unknown view “{inbox[:32]}”. Choose one of {', '.join(Inbox)}.", field="view"
            )
        if status and status not in list(RequestStatus):
            raise InvalidInput(
                f"Unknown status “{status[:32]}”. Choose one of {', '.join(RequestStatus)}.",
                field="status",
            )
        if len(model) > _NAME_MAX or "\x00" in model:
            raise InvalidInput(f"A name has at most {_NAME_MAX} characters.", field="model")
        return cls(
            Inbox(inbox) if inbox else default,
            RequestStatus(status) if status else None,
            names.stored_form(model),
        )

    def shows(self, row: InboxRow) -> bool:
        """Return whether the view lists a row: waiting means no review on the current evidence."""
        return self.inbox is not Inbox.WAITING or row.my_review is None or row.my_review_is_stale


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One request. `judgement` is None if it is closed; `my_review` is None without a review."""

    uid: uuid.UUID
    model: str
    number: int
    from_stage: Stage
    to_stage: Stage
    reason: str
    requested_by: str
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    closed_by: str
    status: RequestStatus
    judgement: TransitionJudgement | None
    stale: int
    my_review: Review | None
    my_review_is_stale: bool

    @property
    def is_open(self) -> bool:
        """Whether it can still be reviewed on."""
        return self.status is RequestStatus.OPEN

    @property
    def lamp(self) -> Lamp:
        """The status of the current evidence; a closed request has none."""
        if self.judgement is None or self.judgement.policy_result is None:
            return Lamp.NONE
        return policy_result_lamp(self.judgement.policy_result)


@dataclass(frozen=True, slots=True)
class InboxPage:
    """One page of requests, the newest first; `next_cursor` None on the last."""

    rows: tuple[InboxRow, ...]
    next_cursor: str | None


def requests_inbox(
    user: models.User, query: InboxQuery, at: datetime, after: Cursor | None = None
) -> InboxPage:
    """Return a page of requests; a fixed number of statements for any number of requests.

    The requests that need a person's review are the open requests of others that they can approve
    and have not reviewed on with the current evidence. Only the evidence's digest shows which these
    are: the page is filled in at most ten rounds, each of a fixed number of statements.
    """
    found = _listed(user, query, at)
    rows: list[InboxRow] = []
    for _ in range(ROUNDS if query.inbox is Inbox.WAITING else 1):
        page = found if after is None else found.filter(after.older("opened_at"))
        read = list(with_people(page).order_by("-opened_at", "-pk")[: PAGE + 1])
        is_last, read = len(read) <= PAGE, read[:PAGE]
        after = None if is_last else Cursor(read[-1].opened_at, read[-1].pk)
        rows += [row for row in _rows(read, user, at) if query.shows(row)]
        if is_last or len(rows) >= PAGE:
            break
    if len(rows) > PAGE:
        rows = rows[:PAGE]
        pk = found.values_list("pk", flat=True).get(uid=rows[-1].uid)
        after = Cursor(rows[-1].opened_at, pk)
    return InboxPage(tuple(rows), str(after) if after else None)


def waiting_count(user: models.User, at: datetime) -> int:
    """Count the requests that need a person's review, at most one more than `COUNT_CAP`.

    One statement; if something changed after the person's review, the evidence of those requests
    is read too, to find out whether the evidence changed.
    """
    if not has_permission(user, Permission.APPROVE):
        return 0
    found = list(_waiting(user, at).values_list("pk", "voted_at")[: COUNT_CAP + 1])
    perhaps = [pk for pk, voted_at in found if voted_at is not None]
    count = len(found) - len(perhaps)
    if perhaps:
        rows = list(with_people(models.TransitionRequest.objects.filter(pk__in=perhaps)))
        count += sum(row.my_review_is_stale for row in _rows(rows, user, at))
    return count


def _listed(
    user: models.User, query: InboxQuery, at: datetime
) -> QuerySet[models.TransitionRequest]:
    if query.inbox is Inbox.WAITING:
        if not has_permission(user, Permission.APPROVE):
            return models.TransitionRequest.objects.none()
        return _waiting(user, at)
    found = models.TransitionRequest.objects.all()
    if query.inbox is Inbox.MINE:
        return found.filter(requested_by=user)
    if query.model:
        found = found.filter(version__model__name=query.model)
    return found.filter(with_status(query.status, at))


def _waiting(user: models.User, at: datetime) -> QuerySet[Any]:
    """Return the requests that may need a person's review.

    Those without a review of theirs do. Those with one do if the evidence changed since, which only
    its digest shows: they are left out if no part of the evidence changed.
    """
    mine = models.Vote.objects.filter(request=OuterRef("pk"), voter=user).order_by("-pk")
    newer_policy = models.PolicyRevision.objects.filter(
        Q(model=None) | Q(model=OuterRef("version__model")),
        Q(created_at__gte=OuterRef("voted_at")) | Q(superseded_at__gte=OuterRef("voted_at")),
        stage=OuterRef("to_stage"),
    )
    newer_definition = models.MetricDefinition.objects.filter(updated_at__gte=OuterRef("voted_at"))
    return (
        models.TransitionRequest.objects.filter(
            status=RequestStatus.OPEN.value, expires_at__gt=at, version__deleted_at=None
        )
        .exclude(requested_by=user)
        .annotate(voted_at=Subquery(mine.values("voted_at")[:1]))
        .filter(
            Q(voted_at=None)
            | Q(version__model__updated_at__gte=F("voted_at"))
            | Exists(newer_policy)
            | Exists(newer_definition)
        )
    )


def _rows(rows: list[models.TransitionRequest], user: models.User, at: datetime) -> list[InboxRow]:
    versions = {row.version_id: row.version for row in rows if _is_open(row, at)}
    source = MoveFacts(list(versions.values()), with_digest=True, at=at)
    return [_row(row, source, user, at) for row in rows]


def _is_open(row: models.TransitionRequest, at: datetime) -> bool:
    return row.status == RequestStatus.OPEN.value and row.expires_at > at


def _row(
    row: models.TransitionRequest, source: MoveFacts, user: models.User, at: datetime
) -> InboxRow:
    stage = Stage(row.to_stage)
    judgement, mine, digest, stale = None, None, "", 0
    if _is_open(row, at):
        facts = source.of(row.version, stage)
        judgement, digest = judge_transition(facts), facts.evidence_digest
        request = source.request_of(row.version, stage)
        reviews = last_reviews(request.reviews) if request else ()
        mine = next((review for review in reviews if review.reviewer == user.username), None)
        stale = sum(
            review.decision is Decision.APPROVE and review.evidence_digest != digest
            for review in reviews
        )
    status = RequestStatus(row.status)
    if status is RequestStatus.OPEN and row.expires_at <= at:
        status = RequestStatus.EXPIRED
    return InboxRow(
        uid=row.uid,
        model=row.version.model.name,
        number=row.version.number,
        from_stage=Stage(row.from_stage),
        to_stage=stage,
        reason=row.reason,
        requested_by=display_name(row.requested_by),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        closed_by=display_name(row.closed_by) if row.closed_at else "",
        status=status,
        judgement=judgement,
        stale=stale,
        my_review=mine,
        my_review_is_stale=mine is not None and mine.evidence_digest != digest,
    )
