"""The form that requests approval for a move, as a page and as a dialog."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from boards.access.permissions import Permission, has_permission
from boards.queries.facts.records import find_named_version
from boards.queries.transitions.moves import MoveOption, move_options
from boards.registry.transitions import requests as request_writes
from boards.views.http import Request, needs, next_of, page_actor
from boards.views.reviews.forms import RequestForm
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed, RefusalKind
from obeya.refusals import TransitionRefused
from obeya.stages import Stage, is_promotion
from obeya.transitions.intent import TransitionIntent

ERRORS = (AlreadyExists, InvalidInput, NotAllowed, TransitionRefused)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def request_transition(request: Request, name: str, number: int) -> HttpResponse:
    """Open a request for a version's promotion; a reason is required.

    A redirect to the request: it is open. 400: no reason, or no such stage. 403: no permission to
    move versions. 409: there is an open request already. 422: the workflow does not contain the
    move.
    """
    if request.method != "POST":
        reason = request.GET.get("reason", "")
        form = RequestForm(initial={"reason": reason, "archive_existing": True})
        return _form(request, name, number, form)
    form = RequestForm(request.POST)
    if form.is_valid():
        wanted = request.POST.get("to_stage", "")
        try:
            opened = request_writes.request_transition(
                name=name,
                version=number,
                intent=TransitionIntent(
                    to_stage=Stage.parse(wanted) if wanted else None,
                    reason=form.cleaned_data["reason"],
                    archive_existing=form.cleaned_data["archive_existing"],
                ),
                actor=page_actor(request),
                at=timezone.now(),
            )
        except ERRORS as error:
            form.refuse(error)
        else:
            stage = Stage(opened.to_stage).label
            messages.success(request, f"Approval requested: {name} v{number} to {stage}.")
            url = reverse("boards:request", args=[opened.uid])
            return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)
    return _form(request, name, number, form)


def _form(request: Request, name: str, number: int, form: RequestForm) -> HttpResponse:
    version = find_named_version(name, number)
    options = [o for o in move_options(version, request.user) if _is_requestable(o)]
    wanted = request.POST.get("to_stage") or request.GET.get("to_stage", "")
    selected = next((o for o in options if o.stage.value == wanted and not o.request), None)
    free = [option for option in options if option.request is None]
    form.offer_to_archive(next((o.occupants for o in free if o.stage is Stage.PRODUCTION), ()))
    context: dict[str, Any] = {
        "section": "requests",
        "version": version,
        "stage": Stage(version.stage),
        "options": options,
        "free": free,
        "selected": selected or (free[0] if free else None),
        "may_ask": has_permission(request.user, Permission.TRANSITION),
        "form": form,
        "next": next_of(request),
    }
    response = render(
        request,
        "request_new.html#answer" if request.htmx else "request_new.html",
        context,
        status=form.status,
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


def _is_requestable(option: MoveOption) -> bool:
    """Return whether the workflow contains the move and policies can apply to it."""
    judgement = option.judgement
    return is_promotion(judgement.from_stage, option.stage) and not judgement.refused_by(
        RefusalKind.WORKFLOW
    )
