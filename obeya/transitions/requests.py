"""Transition requests: moves that require the approval of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from obeya.audit.chain import document_digest
from obeya.errors import AlreadyClosed, EvidenceChanged, InvalidInput, NotAllowed, NotFound
from obeya.look_alikes.characters import is_blank
from obeya.metrics import definition_for, metric_document
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import NO_DEFINITIONS, ChampionRequirement, Definitions, Evidence
from obeya.policy.rules import RequiredTag
from obeya.records import Action
from obeya.stages import Stage, is_promotion


class _HasTarget(Protocol):
    @property
    def to_stage(self) -> str: ...


_Request = TypeVar("_Request", bound=_HasTarget)

OPEN_FOR = timedelta(days=14)
"""How long a request stays open by default."""


class RequestStatus(StrEnum):
    """The status of a request; all but OPEN are final."""

    OPEN = "open"
    COMPLETED = "completed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


CLOSED_BY = {
    RequestStatus.COMPLETED: Action.REQUEST_COMPLETED,
    RequestStatus.REJECTED: Action.REQUEST_REJECTED,
    RequestStatus.WITHDRAWN: Action.REQUEST_WITHDRAWN,
    RequestStatus.EXPIRED: Action.REQUEST_EXPIRED,
}
"""The event that closes a request."""


class Decision(StrEnum):
    """The decision of a reviewer."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's decision, bound to the evidence at that time.

    `may_approve` is whether the reviewer still has the permission; an approval without it does not
    count. `is_service`: the reviewer is a service account, whose approval counts only if the policy
    says so.
    """

    reviewer: str
    decision: Decision
    evidence_digest: str
    at: datetime
    comment: str = ""
    may_approve: bool = True
    is_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRequest:
    """A request to move a version, with the decisions of its reviewers. Times are UTC.

    `reviews` are in the order in which they were given. `evidence_digest` is the digest of the
    current evidence: an approval with another digest is stale and does not count.
    `count_service_approvals` is that of the policy in force for `to_stage`.
    """

    id: str
    model: str
    version: int
    from_stage: Stage
    to_stage: Stage
    reason: str
    requested_by: str
    opened_at: datetime
    expires_at: datetime
    status: RequestStatus
    evidence_digest: str
    reviews: tuple[Review, ...] = ()
    archive_existing: bool = False
    count_service_approvals: bool = False

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The users whose approvals of the current evidence count, by their last decisions.

        Those of a closed request include every service account: its check says what counted.
        """
        given = approvals(self.reviews, self.requested_by, self.evidence_digest)
        counts_all = self.count_service_approvals or self.status is not RequestStatus.OPEN
        return approvers(given, count_services=counts_all)

    @property
    def ignored_by(self) -> tuple[str, ...]:
        """The service accounts that approve the current evidence but do not count."""
        counted = self.approved_by
        given = approvals(self.reviews, self.requested_by, self.evidence_digest)
        return tuple(review.reviewer for review in given if review.reviewer not in counted)

    @property
    def stale_approvals(self) -> tuple[Review, ...]:
        """The last decisions of reviewers who approved evidence that has changed since."""
        return tuple(
            review
            for review in last_reviews(self.reviews)
            if review.decision is Decision.APPROVE
            and review.evidence_digest != self.evidence_digest
        )


def last_reviews(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """Return each reviewer's last decision, in the order in which they were given."""
    last: dict[str, Review] = {}
    for review in reviews:
        last.pop(review.reviewer, None)
        last[review.reviewer] = review
    return tuple(last.values())


def approvals(reviews: Iterable[Review], requested_by: str, digest: str) -> tuple[Review, ...]:
    """Return the approvals of the evidence with this digest; the requester's never counts."""
    return tuple(
        review
        for review in last_reviews(reviews)
        if review.decision is Decision.APPROVE
        and review.evidence_digest == digest
        and review.reviewer != requested_by
        and review.may_approve
    )


def approvers(given: Iterable[Review], *, count_services: bool) -> tuple[str, ...]:
    """Return whose approvals count: those of people, and with `count_services` all."""
    return tuple(review.reviewer for review in given if count_services or not review.is_service)


def check_requestable(from_stage: Stage, to_stage: Stage) -> None:
    """Check that a move that the workflow allows can be requested.

    Raises:
        InvalidInput: it is not a promotion, so there is nothing to approve.
    """
    if not is_promotion(from_stage, to_stage):
        raise InvalidInput(
            f"{from_stage.label} to {to_stage.label} needs no approval. Move the version directly.",
            field="to_stage",
        )


def the_one(found: Sequence[_Request], version: str) -> _Request:
    """Return the only open request of a version.

    Raises:
        NotFound: there is none.
        InvalidInput: there are several; the caller must name the target stage.
    """
    if not found:
        raise NotFound(f"There is no open request for {version}.", what="request")
    if len(found) > 1:
        stages = ", ".join(Stage(request.to_stage).label for request in found)
        raise InvalidInput(
            f"{version} has several open requests ({stages}). Choose the stage.", field="to_stage"
        )
    return found[0]


def check_withdrawal(status: RequestStatus, *, requested_by: str, actor: str) -> None:
    """Check that the actor can withdraw a request with this status.

    Raises:
        AlreadyClosed: it is already closed.
        NotAllowed: someone else opened it.
    """
    if status is not RequestStatus.OPEN:
        raise AlreadyClosed(f"The request is already {status.value}.")
    if actor != requested_by:
        raise NotAllowed(
            "Only the requester can withdraw a request. Reject it instead.", permission="register"
        )


def promotes_automatically(policy: PromotionPolicy | None, approving: Sequence[str]) -> bool:
    """Return whether the last approval moves the version, if every other rule allows it."""
    return (
        policy is not None
        and policy.auto_promote
        and len(approving) >= max(policy.required_approvals, 1)
    )


def check_review(
    status: RequestStatus, *, requested_by: str, reviewer: str, decision: Decision
) -> None:
    """Check that a user can approve or reject a request with this status.

    Raises:
        AlreadyClosed: it is already closed.
        NotAllowed: the requester approves their own request.
    """
    if status is not RequestStatus.OPEN:
        raise AlreadyClosed(f"The request is already {status.value}. Open a new one.")
    if decision is Decision.APPROVE and reviewer == requested_by:
        raise NotAllowed(
            "You can't approve your own request. Another person must approve it.",
            permission="approve",
        )


def check_digest_seen(digest: str, expected: str | None) -> None:
    """Compare the evidence that a reviewer saw (None: not stated) with the current evidence.

    Raises:
        EvidenceChanged: it changed since.
    """
    if expected is not None and expected != digest:
        raise EvidenceChanged(
            "The evidence changed since you read it. Review it again.",
            digest=digest,
        )


def comment_required(comment: str) -> str:
    """Check that the rejection has a comment and return it.

    Raises:
        InvalidInput: there is none.
    """
    if is_blank(comment):
        raise InvalidInput("A comment is required to reject a request.", field="comment")
    return comment


def evidence_digest(
    evidence: Evidence,
    champion: Evidence | None,
    policy: PromotionPolicy | None,
    definitions: Definitions = NO_DEFINITIONS,
) -> str:
    """Return the SHA-256, in hex, of the evidence that an approval is bound to.

    It covers the version's metrics, description and artifact, the tags that the policy requires,
    the champion with its metrics, and the policy, as canonical JSON (RFC 8785). If the policy uses
    noise, it also covers the scales of the metrics concerned, which determine the noise.
    """
    keys = {r.key for r in policy.requirements if isinstance(r, RequiredTag)} if policy else set()
    document: dict[str, Any] = {
        "version": evidence.version,
        "metrics": _metrics(evidence),
        "description": evidence.description,
        "artifact": artifact_evidence(evidence),
        "tags": {key: value for key, value in evidence.tags.items() if key in keys},
        "champion": {"version": champion.version, "metrics": _metrics(champion)}
        if champion
        else None,
        "policy": policy.to_document() if policy else None,
    }
    if policy and policy.uses_noise:
        document["scales"] = noise_scales(policy, definitions)
    return document_digest(document)


def artifact_evidence(evidence: Evidence) -> dict[str, Any]:
    """Return the evidence about the artifact; size and warnings only if its files are stored."""
    stated = {"uri": evidence.artifact_path, "digest": evidence.artifact_digest}
    if evidence.artifact_size is None:
        return stated
    found = list(evidence.artifact_warnings)
    code = {"code": list(evidence.artifact_code)} if evidence.artifact_code else {}
    return {**stated, "size": evidence.artifact_size, "warnings": found, **code}


def noise_scales(policy: PromotionPolicy, definitions: Definitions) -> dict[str, str]:
    """Return the scales of the metrics whose noise a policy uses, by name."""
    return {
        requirement.metric: definition_for(requirement.metric, definitions).scale.value
        for requirement in policy.requirements
        if isinstance(requirement, ChampionRequirement) and requirement.beyond_noise
    }


def _metrics(evidence: Evidence) -> Mapping[str, Any]:
    return {name: metric_document(metric) for name, metric in evidence.metrics.items()}
