"""Requests, reviews and waivers."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from django.db.models import Q
from django.http import HttpResponse
from django.utils import timezone
from ninja import Path, Router

from boards.access.permissions import Permission
from boards.api.answers import answer, created, page
from boards.api.guard import ApiRequest
from boards.api.paging import CursorText, Limit, time_place
from boards.api.routes.catalog import Name
from boards.api.routes.versions import Number
from boards.api.schemas.basics import Items, Page
from boards.api.schemas.basics import RequestStatus as RequestStatusSchema
from boards.api.schemas.reviews import (
    NewRequest,
    NewReview,
    NewWaiver,
    Revocation,
    Waiver,
    Withdrawal,
)
from boards.api.schemas.reviews import TransitionRequest as TransitionRequestSchema
from boards.models import TransitionRequest
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.records import find_model, find_named_version, find_version
from boards.queries.facts.requests import request_record, request_records, requests_page
from boards.queries.facts.waivers import waiver_record, waivers_of
from boards.registry.database import DatabaseRegistry
from boards.registry.policies import waivers as waiver_writes
from boards.registry.transitions import requests as request_writes
from obeya.documents.governance import request_document, waiver_document
from obeya.errors import InvalidInput
from obeya.stages import Stage
from obeya.transitions.requests import Decision, RequestStatus

router = Router(tags=["Requests and waivers"])

Status = RequestStatusSchema


@router.get("/requests", response=Page[TransitionRequestSchema])
def list_requests(
    request: ApiRequest,
    status: Status | None = None,
    cursor: CursorText = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List the requests of all models, newest first."""
    return _requests(request, None, None, status, cursor, limit)


@router.get("/models/{name}/requests", response=Page[TransitionRequestSchema])
def list_model_requests(
    request: ApiRequest,
    name: Name,
    status: Status | None = None,
    cursor: CursorText = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List the requests of all versions of a model, newest first."""
    return _requests(request, name, None, status, cursor, limit)


@router.get(
    "/models/{name}/versions/{version}/requests",
    response=Page[TransitionRequestSchema],
)
def list_version_requests(
    request: ApiRequest,
    name: Name,
    version: Number,
    status: Status | None = None,
    cursor: CursorText = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List the requests of a version, newest first."""
    return _requests(request, name, version, status, cursor, limit)


@router.post("/models/{name}/versions/{version}/requests", response={201: TransitionRequestSchema})
def request_transition(
    request: ApiRequest, name: Name, version: Number, new: NewRequest
) -> HttpResponse:
    """Request approval to move a version to a stage."""
    made = DatabaseRegistry(actor=request.actor).request_transition(
        name,
        version,
        Stage(new.to_stage) if new.to_stage else None,
        reason=new.reason,
        archive_existing=new.archive_existing,
    )
    return created(request_document(made))


@router.post("/models/{name}/versions/{version}/reviews", response=TransitionRequestSchema)
def review_request(
    request: ApiRequest, name: Name, version: Number, new: NewReview
) -> HttpResponse:
    """Approve or reject the open request of a version, based on the current evidence.

    A rejection requires a comment and closes the request. If the policy promotes automatically, the
    last approval moves the version.
    """
    row = request_writes.review(
        name=name,
        version=version,
        decision=Decision(new.decision),
        comment=new.comment,
        to_stage=Stage(new.to_stage) if new.to_stage else None,
        actor=request.actor,
        at=timezone.now(),
    )
    return _request(row)


@router.post("/models/{name}/versions/{version}/withdrawals", response=TransitionRequestSchema)
def withdraw(request: ApiRequest, name: Name, version: Number, which: Withdrawal) -> HttpResponse:
    """Withdraw your own open request."""
    row = request_writes.withdraw(
        name=name,
        version=version,
        to_stage=Stage(which.to_stage) if which.to_stage else None,
        actor=request.actor,
        at=timezone.now(),
    )
    return _request(row)


@router.get("/models/{name}/versions/{version}/waivers", response=Items[Waiver])
def list_waivers(request: ApiRequest, name: Name, version: Number) -> HttpResponse:
    """List the waivers of a version, oldest first."""
    request.actor.require(Permission.VIEW, name)
    row = find_named_version(name, version)
    found = waivers_of([row.pk]).get(row.pk, [])
    return answer({"items": [waiver_document(waiver) for waiver in found]})


@router.post("/models/{name}/versions/{version}/waivers", response={201: Waiver})
def waive(request: ApiRequest, name: Name, version: Number, new: NewWaiver) -> HttpResponse:
    """Waive requirements for one version temporarily."""
    made = DatabaseRegistry(actor=request.actor).waive(
        name,
        version,
        new.requirements,
        reason=new.reason,
        expires_at=_moment(new.expires_at),
        to_stage=Stage(new.to_stage) if new.to_stage else None,
    )
    return created(waiver_document(made))


@router.post("/waivers/{uid}/revocation", response=Waiver)
def revoke_waiver(
    request: ApiRequest, uid: Annotated[uuid.UUID, Path()], why: Revocation
) -> HttpResponse:
    """Revoke a waiver before it expires."""
    row = waiver_writes.revoke_waiver(
        uid=uid, reason=why.reason, actor=request.actor, at=timezone.now()
    )
    return answer(waiver_document(waiver_record(row)))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment.astimezone(timezone.get_default_timezone())
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"“{text[:40]}” is not a time. Write it like 2030-01-31T12:00:00+00:00.",
            field="expires_at",
        ) from None
    return moment


def _requests(
    request: ApiRequest,
    name: str | None,
    number: int | None,
    status: Status | None,
    cursor: str,
    limit: int,
) -> HttpResponse:
    if name is None:
        request.actor.require_anywhere(Permission.VIEW)
        within = visible_models(request.actor, "version__model")
    else:
        request.actor.require(Permission.VIEW, name)
        model = find_model(name)
        within = Q(version__model=model)
        if number is not None:
            within = Q(version=find_version(model, number))
    now = timezone.now()
    rows, after = requests_page(
        within,
        RequestStatus(status) if status else None,
        after=time_place(cursor),
        limit=limit,
        at=now,
    )
    found = request_records(rows, now)
    return page([request_document(one) for one in found], str(after) if after else None)


def _request(row: TransitionRequest) -> HttpResponse:
    return answer(request_document(request_record(row, timezone.now())))
