"""Transition requests: the inbox, the page of one, and reviews."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from boards.access.permissions import Permission, has_permission, permission_for_transition
from boards.queries.paging.keyset import Cursor
from boards.queries.reviews.request_page import RequestPage
from boards.queries.reviews.request_page import request_page as read_request
from boards.queries.reviews.requests_inbox import Inbox, InboxPage, InboxQuery, requests_inbox
from boards.registry.transitions import requests as request_writes
from boards.views.forms import choice_of
from boards.views.http import Request, needs, page_actor
from boards.views.reviews.forms import ReviewForm
from obeya.errors import AlreadyClosed, EvidenceChanged, InvalidInput, NotAllowed
from obeya.transitions.requests import Decision, RequestStatus

ERRORS = (AlreadyClosed, EvidenceChanged, InvalidInput, NotAllowed)


@require_safe
@needs(Permission.VIEW)
def inbox(request: Request) -> HttpResponse:
    """Show the requests that need the user's review, the user's own, or all requests.

    400: the URL has an unknown view, status or page.
    """
    may_approve = has_permission(request.user, Permission.APPROVE)
    query = InboxQuery(Inbox.ALL)
    page, problem = InboxPage((), None), ""
    after = request.GET.get("after", "")
    try:
        query = InboxQuery.parse(
            request.GET.dict(), default=Inbox.WAITING if may_approve else Inbox.MINE
        )
        page = requests_inbox(request.user, query, timezone.now(), Cursor.parse(after))
    except InvalidInput as error:
        problem = str(error)
    stated = {"view": query.inbox.value}
    if query.inbox is Inbox.ALL:
        stated |= {"status": query.status.value if query.status else "", "model": query.model}
        stated = {key: value for key, value in stated.items() if value}
    context = {
        "section": "requests",
        "query": query,
        "page": page,
        "problem": problem,
        "views": list(Inbox),
        "statuses": list(RequestStatus),
        "may_approve": may_approve,
        "is_older": bool(after),
        "newest_query": urlencode(stated),
        "older_query": urlencode({**stated, "after": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "requests.html", context, status=400 if problem else 200)


@require_safe
@needs(Permission.VIEW)
def request_page(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Show one request with all evidence, its reviews and the user's possible actions."""
    return _page(request, uid, ReviewForm())


@require_POST
@needs(Permission.VIEW)
def review(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Approve or reject a request, on the evidence that the form showed.

    A redirect: the review counts. 400: a rejection without a comment. 403: no permission, or the
    user's own request. 409: the evidence changed or the request is closed. A refused review shows
    the current page, with the error and the comment that was typed.
    """
    page = read_request(uid, timezone.now())
    form = ReviewForm(request.POST)
    if form.is_valid():
        try:
            decision = _decision(request.POST.get("decision", ""))
            made = request_writes.review(
                name=page.model,
                version=page.number,
                decision=decision,
                comment=form.cleaned_data["comment"],
                # A form without the digest of what the user saw is not assumed to be up to date.
                expected_digest=request.POST.get("expected_digest", ""),
                uid=uid,
                actor=page_actor(request),
                at=timezone.now(),
            )
        except ERRORS as error:
            form.refuse(error)
        else:
            messages.success(request, _outcome(page, decision, RequestStatus(made.status)))
            return redirect("boards:request", uid=uid)
    return _page(request, uid, form)


@require_POST
@needs(Permission.VIEW)
def withdraw(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Withdraw the user's own request. 403: it is someone else's. 409: it is closed already."""
    page = read_request(uid, timezone.now())
    try:
        request_writes.withdraw(
            name=page.model,
            version=page.number,
            uid=uid,
            actor=page_actor(request),
            at=timezone.now(),
        )
    except ERRORS as error:
        # The page has one place for errors, whichever of its buttons was pressed.
        form = ReviewForm(request.POST)
        form.refuse(error)
        return _page(request, uid, form)
    messages.success(request, "Request withdrawn.")
    return redirect("boards:request", uid=uid)


def _page(request: Request, uid: uuid.UUID, form: ReviewForm) -> HttpResponse:
    page = read_request(uid, timezone.now())
    user = request.user
    needed = permission_for_transition(page.stage_now, page.to_stage)
    context: dict[str, Any] = {
        "section": "requests",
        "page": page,
        "form": form,
        "is_mine": page.requested_by == user.username,
        "my_review": page.review_of(user.username),
        "may_approve": has_permission(user, Permission.APPROVE),
        "may_waive": has_permission(user, Permission.WAIVE),
        "may_ask": has_permission(user, Permission.TRANSITION),
        "may_promote": has_permission(user, needed),
        "move_permission": needed.value,
    }
    return render(request, "request.html", context, status=form.status)


_decision = choice_of(Decision, "Choose Approve or Reject.")


def _outcome(page: RequestPage, decision: Decision, status: RequestStatus) -> str:
    version = f"{page.model} v{page.number}"
    if decision is Decision.REJECT:
        return f"Rejected: {version} stays in {page.stage_now.label}."
    if status is RequestStatus.COMPLETED:
        return f"Approved, and {version} moved to {page.to_stage.label}."
    return f"Approved: {version} to {page.to_stage.label}."
