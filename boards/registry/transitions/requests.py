"""Writes to transition requests: open, approve, reject, withdraw."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from boards import models
from boards.access.actors import SYSTEM, Actor, display_name
from boards.access.permissions import Permission
from boards.queries.facts.evidence import workflow_of
from boards.registry.commit import ModelWrite, writing_model
from boards.registry.transitions.moves import keep_check, make_move, read_facts
from boards.registry.transitions.open_requests import close_request, expire_requests, present_digest
from obeya import names
from obeya.audit.chain import timestamp
from obeya.errors import AlreadyExists, NotFound
from obeya.records import Action
from obeya.refusals import refuse
from obeya.stages import Stage
from obeya.transitions import requests as rules
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.judge import judge_transition
from obeya.transitions.requests import Decision, RequestStatus
from obeya.transitions.versions import next_stage


def request_transition(
    *,
    name: str,
    version: int,
    intent: TransitionIntent,
    actor: Actor,
    at: datetime,
) -> models.TransitionRequest:
    """Request that a version be moved once others approve.

    The request stays open for `OBEYA_REQUEST_DAYS` days.

    Raises:
        NotAllowed: the actor does not have the transition permission.
        InvalidTransition: the workflow does not contain this move.
        AlreadyExists: there is an open request for it.
        InvalidInput: the move is not a promotion, or there is no next stage.
    """
    actor.require(Permission.TRANSITION, name)
    wanted = None if intent.to_stage is None else Stage.parse(intent.to_stage)
    reason = names.reason(intent.reason)
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        from_stage = Stage(row.stage)
        stage = wanted or next_stage(from_stage)
        refusal = workflow_of(write.model).check(from_stage, stage)
        if refusal is not None:
            raise refuse((refusal,), from_stage=from_stage, to_stage=stage)
        rules.check_requestable(from_stage, stage)
        expire_requests(write)
        if _open(row).filter(to_stage=stage.value).exists():
            raise AlreadyExists(f"{write.model.name} v{row.number} already has an open request.")
        request = models.TransitionRequest.objects.create(
            version=row,
            from_stage=from_stage.value,
            to_stage=stage.value,
            reason=reason,
            archive_existing=intent.archive_existing,
            requested_by=actor.user,
            opened_at=write.at,
            expires_at=write.at + timedelta(days=settings.OBEYA_REQUEST_DAYS),
        )
        write.record(
            Action.REQUEST_OPENED,
            version=row,
            from_stage=from_stage,
            to_stage=stage,
            data={
                "request": str(request.uid),
                "archive_existing": intent.archive_existing,
                "expires_at": timestamp(request.expires_at),
            },
            texts={"reason": reason},
        )
        return request


def review(
    *,
    name: str,
    version: int,
    decision: Decision,
    comment: str = "",
    to_stage: Stage | None = None,
    expected_digest: str | None = None,
    uid: uuid.UUID | None = None,
    actor: Actor,
    at: datetime,
) -> models.TransitionRequest:
    """Approve or reject the open request for a version, on the current evidence.

    A rejection closes the request. If the policy promotes automatically, the last approval moves
    the version, provided that all other rules allow it: the actor is the registry, and the event
    has the reviewer's id. `expected_digest` is that of the evidence that the reviewer saw. `uid` is
    the id of the request, so that a request closed since is not confused with a newer one.

    Raises:
        NotAllowed: the actor does not have the approve permission, or it is their own request.
        NotFound: there is no open request.
        AlreadyClosed: the request with the id `uid` is closed already.
        EvidenceChanged: the evidence has another digest than expected.
        InvalidInput: a rejection without a comment.
    """
    actor.require(Permission.APPROVE, name)
    comment = names.reason(comment)
    if decision is Decision.REJECT:
        rules.comment_required(comment)
    _expire_first(name, version, actor, at)
    with writing_model(name, actor=actor, at=at) as write:
        row, request = _the_one(write, version, to_stage, uid)
        by = request.requested_by
        rules.check_review(
            RequestStatus(request.status),
            requested_by=display_name(by),
            reviewer=display_name(actor.user),
            decision=decision,
        )
        digest = present_digest(write, row, request)
        rules.check_digest_seen(digest, expected_digest)
        models.Vote.objects.create(
            request=request,
            voter=actor.user,
            decision=decision.value,
            comment=comment,
            evidence_digest=digest,
            voted_at=write.at,
        )
        if decision is Decision.REJECT:
            close_request(
                write,
                request,
                row,
                RequestStatus.REJECTED,
                digest=digest,
                comment=comment,
            )
            return request
        write.record(
            Action.REQUEST_APPROVED,
            version=row,
            from_stage=Stage(request.from_stage),
            to_stage=Stage(request.to_stage),
            data={"request": str(request.uid), "evidence_digest": digest},
            texts={"comment": comment},
        )
        _promote_by_itself(write, row, request)
        request.refresh_from_db()
        return request


def withdraw(
    *,
    name: str,
    version: int,
    to_stage: Stage | None = None,
    uid: uuid.UUID | None = None,
    actor: Actor,
    at: datetime,
) -> models.TransitionRequest:
    """Withdraw the actor's own open request; `uid` as in `review`.

    Raises:
        NotFound: there is no open request.
        AlreadyClosed: the request with the id `uid` is closed already.
        NotAllowed: the actor does not have the transition permission, or it is someone else's
            request.
    """
    actor.require(Permission.TRANSITION, name)
    _expire_first(name, version, actor, at)
    with writing_model(name, actor=actor, at=at) as write:
        row, request = _the_one(write, version, to_stage, uid)
        by = request.requested_by
        rules.check_withdrawal(
            RequestStatus(request.status),
            requested_by=display_name(by),
            actor=display_name(actor.user),
        )
        digest = present_digest(write, row, request)
        close_request(write, request, row, RequestStatus.WITHDRAWN, digest=digest)
        return request


def _promote_by_itself(
    write: ModelWrite, row: models.ModelVersion, request: models.TransitionRequest
) -> None:
    stage, reviewer = Stage(request.to_stage), write.actor.uid
    read = read_facts(write, row, stage, archive_existing=request.archive_existing)
    if not rules.promotes_automatically(read.facts.policy, read.facts.approvers):
        return
    judgement = judge_transition(read.facts)
    if not judgement.allowed:
        return
    with write.acting_as(SYSTEM):
        make_move(
            write,
            row,
            stage,
            keep_check(write, row, read, judgement),
            request.reason,
            archive_existing=request.archive_existing,
            data={"approved_by": reviewer, "request": str(request.uid)},
        )


def _expire_first(name: str, version: int, actor: Actor, at: datetime) -> None:
    """Close expired requests in a separate write: what follows may be refused."""
    with writing_model(name, actor=actor, at=at) as write:
        write.version(version)
        expire_requests(write)


def _open(row: models.ModelVersion) -> QuerySet[models.TransitionRequest]:
    return models.TransitionRequest.objects.filter(
        version=row, status=RequestStatus.OPEN.value
    ).order_by("pk")


def _the_one(
    write: ModelWrite, version: int, to_stage: Stage | None, uid: uuid.UUID | None
) -> tuple[models.ModelVersion, models.TransitionRequest]:
    """Return the request with this id, open or not, or else the open one."""
    row = write.version(version)
    if uid is not None:
        named = models.TransitionRequest.objects.filter(version=row, uid=uid)
        request = named.select_related("requested_by").first()
        if request is None:
            raise NotFound("There is no such request.", what="request")
        return row, request
    found = _open(row).select_related("requested_by")
    if to_stage is not None:
        found = found.filter(to_stage=Stage.parse(to_stage).value)
    return row, rules.the_one(list(found), f"{write.model.name} v{row.number}")
