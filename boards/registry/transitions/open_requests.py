"""Close transition requests: by a decision, by a move, by expiry."""

from __future__ import annotations

from boards import models
from boards.access.actors import SYSTEM
from boards.queries.facts.evidence import MoveFacts
from boards.registry.commit import ModelWrite
from obeya.stages import Stage
from obeya.transitions.requests import CLOSED_BY, RequestStatus


def close_request(
    write: ModelWrite,
    request: models.TransitionRequest,
    version: models.ModelVersion,
    status: RequestStatus,
    *,
    digest: str,
    comment: str = "",
) -> None:
    """Close an open request, with its event. `digest` is that of the current evidence."""
    request.status = status.value
    request.closed_at = write.at
    request.closed_by = write.actor.user
    request.evidence_digest = digest
    request.save(update_fields=["status", "closed_at", "closed_by", "evidence_digest"])
    write.record(
        CLOSED_BY[status],
        version=version,
        from_stage=Stage(request.from_stage),
        to_stage=Stage(request.to_stage),
        data={"request": str(request.uid), "evidence_digest": digest},
        texts={"comment": comment},
    )


def settle_requests(
    write: ModelWrite, version: models.ModelVersion, to_stage: Stage | None
) -> None:
    """Close the requests of a version that has just moved, or (None) was deleted."""
    for request in write.open_requests():
        if request.version_id != version.pk or request.status != RequestStatus.OPEN.value:
            continue
        as_asked = to_stage is not None and request.to_stage == to_stage.value
        close_request(
            write,
            request,
            version,
            RequestStatus.COMPLETED if as_asked else RequestStatus.WITHDRAWN,
            digest=present_digest(write, version, request),
        )


def withdraw_requests(write: ModelWrite) -> None:
    """Close every open request of the model, which is about to be deleted."""
    for request in write.open_requests():
        settle_requests(write, request.version, None)


def expire_requests(write: ModelWrite) -> None:
    """Close the expired requests of the model, with the registry as the actor."""
    with write.acting_as(SYSTEM):
        for request in write.open_requests():
            if request.status != RequestStatus.OPEN.value or request.expires_at > write.at:
                continue
            close_request(
                write,
                request,
                request.version,
                RequestStatus.EXPIRED,
                digest=present_digest(write, request.version, request),
            )


def present_digest(
    write: ModelWrite, version: models.ModelVersion, request: models.TransitionRequest
) -> str:
    """Return the digest of the current evidence, with which approvals are compared."""
    source = MoveFacts([version], at=write.at, with_digest=True)
    return source.of(version, Stage(request.to_stage)).evidence_digest
