"""Transition requests and their reviews in memory. The caller holds the registry's lock."""

from __future__ import annotations

import uuid
from dataclasses import replace

from obeya import names
from obeya.audit.chain import SYSTEM_ACTOR, timestamp
from obeya.errors import AlreadyExists
from obeya.memory.rows import Model
from obeya.memory.store import MemoryStore
from obeya.records import Action, Channel
from obeya.refusals import refuse
from obeya.stages import Stage
from obeya.transitions import requests
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.judge import judge_transition
from obeya.transitions.requests import Decision, RequestStatus, Review, TransitionRequest
from obeya.transitions.versions import next_stage


def request_transition(
    store: MemoryStore,
    name: str,
    version: int,
    intent: TransitionIntent,
) -> TransitionRequest:
    """Open a request for a promotion."""
    wanted = None if intent.to_stage is None else Stage.parse(intent.to_stage)
    reason = names.reason(intent.reason)
    model, found = store.find(name, version)
    stage = wanted or next_stage(found.stage)
    refusal = store.workflow.check(found.stage, stage)
    if refusal is not None:
        raise refuse((refusal,), from_stage=found.stage, to_stage=stage)
    requests.check_requestable(found.stage, stage)
    store.expire_requests(model)
    if _open(model, found.version, stage):
        raise AlreadyExists(f"{found} already has an open request.")
    now = store.now(model.chain)
    request = TransitionRequest(
        id=str(uuid.uuid4()),
        model=model.name,
        version=found.version,
        from_stage=found.stage,
        to_stage=stage,
        reason=reason,
        requested_by=store.actor,
        opened_at=now,
        expires_at=now + requests.OPEN_FOR,
        status=RequestStatus.OPEN,
        evidence_digest="",
        archive_existing=intent.archive_existing,
    )
    model.requests.append(request)
    store.append(
        model.chain,
        Action.REQUEST_OPENED,
        version=found.version,
        from_stage=found.stage,
        to_stage=stage,
        data={
            "request": request.id,
            "archive_existing": intent.archive_existing,
            "expires_at": timestamp(request.expires_at),
        },
        texts={"reason": reason},
        at=now,
    )
    return store.seen(model, request)


def get_requests(store: MemoryStore, name: str, version: int | None) -> list[TransitionRequest]:
    """Return the requests of one version, or of all versions of the model, newest first."""
    model, _ = store.find_either(name, version)
    return [
        store.seen(model, request)
        for request in reversed(model.requests)
        if version in (None, request.version) and request.version in model.versions
    ]


def approve(
    store: MemoryStore, name: str, version: int, comment: str, to_stage: Stage | None
) -> TransitionRequest:
    """Approve the open request, and move the version if the policy promotes automatically."""
    comment = names.reason(comment)
    model, request, review = _review(store, name, version, Decision.APPROVE, comment, to_stage)
    store.append(
        model.chain,
        Action.REQUEST_APPROVED,
        version=request.version,
        from_stage=request.from_stage,
        to_stage=request.to_stage,
        data={"request": request.id, "evidence_digest": review.evidence_digest},
        texts={"comment": comment},
        at=review.at,
    )
    _promote_automatically(store, model, request, review.reviewer)
    return store.seen(model, next(r for r in model.requests if r.id == request.id))


def reject(
    store: MemoryStore, name: str, version: int, comment: str, to_stage: Stage | None
) -> TransitionRequest:
    """Reject the open request, which closes it."""
    comment = requests.comment_required(names.reason(comment))
    model, request, _ = _review(store, name, version, Decision.REJECT, comment, to_stage)
    return store.close(model, request, RequestStatus.REJECTED, comment=comment)


def withdraw(
    store: MemoryStore, name: str, version: int, to_stage: Stage | None
) -> TransitionRequest:
    """Withdraw the actor's open request."""
    model, request = _one_open(store, name, version, to_stage)
    requests.check_withdrawal(request.status, requested_by=request.requested_by, actor=store.actor)
    return store.close(model, request, RequestStatus.WITHDRAWN)


def _review(
    store: MemoryStore,
    name: str,
    version: int,
    decision: Decision,
    comment: str,
    to_stage: Stage | None,
) -> tuple[Model, TransitionRequest, Review]:
    model, request = _one_open(store, name, version, to_stage)
    requests.check_review(
        request.status, requested_by=request.requested_by, reviewer=store.actor, decision=decision
    )
    digest = store.seen(model, request).evidence_digest
    review = Review(
        store.actor,
        decision,
        digest,
        store.now(model.chain),
        comment,
        is_service=store.is_service,
    )
    return model, store.keep(model, replace(request, reviews=(*request.reviews, review))), review


def _promote_automatically(
    store: MemoryStore, model: Model, request: TransitionRequest, reviewer: str
) -> None:
    found = model.versions[request.version]
    facts = store.facts(model, found, request.to_stage, archive_existing=request.archive_existing)
    if requests.promotes_automatically(facts.policy, facts.approvers) and (
        judge_transition(facts).allowed
    ):
        store.acting_as(SYSTEM_ACTOR, Channel.SYSTEM).enter(
            model,
            found,
            request.to_stage,
            request.reason,
            archive_existing=request.archive_existing,
            data={"approved_by": reviewer},
        )


def _open(model: Model, version: int, stage: Stage | None) -> list[TransitionRequest]:
    return [
        request
        for request in model.requests
        if request.status is RequestStatus.OPEN
        and request.version == version
        and stage in (None, request.to_stage)
    ]


def _one_open(
    store: MemoryStore, name: str, version: int, to_stage: Stage | None
) -> tuple[Model, TransitionRequest]:
    stage = None if to_stage is None else Stage.parse(to_stage)
    model, found = store.find(name, version)
    store.expire_requests(model)
    return model, requests.the_one(_open(model, found.version, stage), str(found))
