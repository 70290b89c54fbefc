"""The page of a transition request with all evidence for a reviewer."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from boards import models
from boards.access.actors import display_name
from boards.queries.checks.frozen_check import (
    CheckResult,
    ShownEvidence,
    metric_lines,
    outcome_rows,
    policy_used,
    stored_result,
    waiver_used,
)
from boards.queries.facts.evidence import MoveFacts, named_occupants
from boards.queries.facts.open_requests import reviews_of
from boards.queries.facts.requests import with_people
from boards.queries.reviews.evidence_changes import EvidenceChange, evidence_changes
from obeya.errors import NotFound, Refusal, RefusalKind
from obeya.records import MOVES, Action
from obeya.stages import Stage
from obeya.transitions.judge import TransitionJudgement, judge_transition
from obeya.transitions.requests import Decision, RequestStatus, Review, last_reviews


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLine:
    """One review.

    `is_stale`: the evidence changed since. `is_last`: it is the reviewer's last one, the only one
    that can count. `is_ignored`: it is by a service account, and the policy does not count it.
    """

    review: Review
    is_stale: bool
    is_last: bool
    is_ignored: bool

    @property
    def approves(self) -> bool:
        """Whether it is an approval."""
        return self.review.decision is Decision.APPROVE

    @property
    def counts(self) -> bool:
        """Whether it is an approval of the current evidence, by a reviewer who counts."""
        return self.approves and self.is_last and not self.is_stale and not self.is_ignored

    @property
    def short_digest(self) -> str:
        """The start of the evidence's digest, long enough to distinguish two by eye."""
        return self.review.evidence_digest[:12]


@dataclass(frozen=True, slots=True)
class EndedBy:
    """The event that closed the request. `to_stage` None: the version was deleted."""

    action: Action
    to_stage: Stage | None

    @property
    def is_rollback(self) -> bool:
        """Whether a rollback moved it."""
        return self.action is Action.VERSION_ROLLED_BACK


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """The page.

    `judgement` is None for a closed request. `result` is the current one while the request is open,
    else the frozen one; None for a request that was closed without a move. `archives` are the
    numbers of the versions that the move would archive. `check` is the frozen check of a completed
    request. `changes` are those since the first stale review.
    """

    uid: uuid.UUID
    model: str
    number: int
    revision: int
    is_deleted: bool
    stage_now: Stage
    from_stage: Stage
    to_stage: Stage
    reason: str
    requested_by: str
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    closed_by: str
    status: RequestStatus
    archives: tuple[int, ...]
    archive_existing: bool
    evidence_digest: str
    judgement: TransitionJudgement | None
    result: CheckResult | None
    check: uuid.UUID | None
    reviews: tuple[ReviewLine, ...]
    changes: tuple[EvidenceChange, ...]
    ended_by: EndedBy | None

    @property
    def is_open(self) -> bool:
        """Whether it can still be reviewed on."""
        return self.status is RequestStatus.OPEN

    @property
    def blockers(self) -> tuple[Refusal, ...]:
        """The refusals besides that of missing approvals, which the judgement's sentence states."""
        refusals = self.judgement.refusals if self.judgement else ()
        return tuple(r for r in refusals if r.kind is not RefusalKind.APPROVALS)

    @property
    def auto_promote(self) -> bool:
        """Whether the last approval moves the version."""
        used = self.result.policy if self.result else None
        return used is not None and used.policy.auto_promote

    @property
    def short_digest(self) -> str:
        """The start of the evidence's digest, long enough to distinguish two by eye."""
        return self.evidence_digest[:12]

    @property
    def stale_approvals(self) -> int:
        """The number of approvals that do not count because the evidence was changed since."""
        return sum(line.approves and line.is_last and line.is_stale for line in self.reviews)

    @property
    def rejection(self) -> str:
        """The comment of the rejection; empty if there is none."""
        return next((v.review.comment for v in self.reviews if v.is_last and not v.approves), "")

    def review_of(self, username: str) -> ReviewLine | None:
        """Return a person's last review."""
        return next((v for v in self.reviews if v.is_last and v.review.reviewer == username), None)


def request_page(uid: uuid.UUID, at: datetime) -> RequestPage:
    """Return the page of a request; a fixed number of statements.

    Raises:
        NotFound: there is no such request.
    """
    row = with_people(models.TransitionRequest.objects.filter(uid=uid)).first()
    if row is None:
        raise NotFound("There is no such request.", what="request")
    version, stage = row.version, Stage(row.to_stage)
    is_deleted = version.deleted_at is not None or version.model.deleted_at is not None
    status = RequestStatus(row.status)
    if status is RequestStatus.OPEN and (row.expires_at <= at or is_deleted):
        status = RequestStatus.EXPIRED if row.expires_at <= at else RequestStatus.WITHDRAWN
    judgement, result, check, digest = None, None, None, row.evidence_digest
    if status is RequestStatus.OPEN:
        judgement, result, digest = _present(row, at)
    elif status is RequestStatus.COMPLETED:
        check, result = _frozen(row)
    given = tuple(reviews_of([row])[row.pk])
    last, ignored = set(map(id, last_reviews(given))), _ignored(status, result)
    reviews = tuple(
        ReviewLine(
            review=review,
            is_stale=bool(digest) and review.evidence_digest != digest,
            is_last=id(review) in last,
            is_ignored=review.is_service and (ignored is None or review.reviewer in ignored),
        )
        for review in given
    )
    stale = [line.review for line in reviews if line.is_stale and line.is_last]
    return RequestPage(
        uid=row.uid,
        model=version.model.name,
        number=version.number,
        revision=version.revision,
        is_deleted=is_deleted,
        stage_now=Stage(version.stage),
        from_stage=Stage(row.from_stage),
        to_stage=stage,
        reason=row.reason,
        requested_by=display_name(row.requested_by),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        closed_by=display_name(row.closed_by),
        status=status,
        archives=_archives(row) if row.archive_existing and judgement else (),
        archive_existing=row.archive_existing,
        evidence_digest=digest,
        judgement=judgement,
        result=result,
        check=check,
        reviews=reviews,
        changes=evidence_changes(version, stage, min(v.at for v in stale))
        if stale and status is RequestStatus.OPEN
        else (),
        ended_by=_ended_by(row),
    )


def _present(
    row: models.TransitionRequest, at: datetime
) -> tuple[TransitionJudgement, CheckResult, str]:
    """Return the judgement of the current evidence, that evidence and its digest."""
    version, stage = row.version, Stage(row.to_stage)
    source = MoveFacts([version], with_digest=True, at=at)
    facts = source.of(version, stage, archive_existing=row.archive_existing)
    judgement = judge_transition(
        named_occupants(version, facts, archive_existing=row.archive_existing)
    )
    policy_result = judgement.policy_result or facts.check_policy()
    revision = source.policies.row_of(version.model_id, stage)
    if revision is not None:
        revision = models.PolicyRevision.objects.select_related("model", "created_by").get(
            pk=revision.pk
        )
    tags = models.VersionTag.objects.filter(version=version).order_by("key")
    evidence = ShownEvidence(
        metrics=metric_lines(
            facts.evidence.metrics,
            facts.champion.metrics if facts.champion else {},
            source.definitions,
        ),
        champion=facts.champion.version if facts.champion else None,
        champion_is_unchecked=facts.champion is not None
        and version.model.champion is not None
        and version.model.champion.imported_unchecked,
        artifact_uri=version.artifact_uri,
        artifact_digest=version.artifact_digest,
        description=version.description,
        tags=dict(tags.values_list("key", "value")),
        waivers=tuple(map(waiver_used, facts.waivers)),
    )
    result = CheckResult(
        policy_result=policy_result,
        outcomes=outcome_rows(policy_result, source.definitions, evidence.waivers),
        evidence=evidence,
        policy=policy_used(revision),
    )
    return judgement, result, facts.evidence_digest


def _ignored(status: RequestStatus, result: CheckResult | None) -> Collection[str] | None:
    """Return the service accounts whose approvals do not count, None for every one of them.

    For a completed request they are those of the frozen check.
    """
    if status is RequestStatus.OPEN:
        used = result.policy if result else None
        return () if used and used.policy.count_service_approvals else None
    approvals = result.evidence.approvals if result else ()
    return {approval.reviewer for approval in approvals if not approval.counted}


def _frozen(row: models.TransitionRequest) -> tuple[uuid.UUID | None, CheckResult | None]:
    """Return the evidence that was frozen when the request was completed."""
    check = (
        models.PolicyCheck.objects.filter(
            version=row.version_id, allowed=True, evidence__request=str(row.uid)
        )
        .select_related("policy_revision__model", "policy_revision__created_by")
        .first()
    )
    return (check.uid, stored_result(check)) if check else (None, None)


def _ended_by(row: models.TransitionRequest) -> EndedBy | None:
    """Return the move or deletion that closed the request; None if a person closed it."""
    if row.closed_at is None or row.status == RequestStatus.REJECTED.value:
        return None
    found = models.AuditEvent.objects.filter(
        version=row.version_id,
        occurred_at=row.closed_at,
        action__in=[*(action.value for action in MOVES), Action.VERSION_DELETED.value],
    )
    event = found.values_list("action", "to_stage").first()
    if event is None:
        return None
    return EndedBy(Action(event[0]), Stage(event[1]) if event[1] else None)


def _archives(row: models.TransitionRequest) -> tuple[int, ...]:
    there = models.ModelVersion.objects.filter(
        model=row.version.model_id, stage=row.to_stage, deleted_at=None
    ).exclude(pk=row.version_id)
    return tuple(there.order_by("number").values_list("number", flat=True))
