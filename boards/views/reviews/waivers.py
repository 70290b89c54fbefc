"""Waivers: the list, the form that grants one, and the page that revokes one."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.checks.frozen_check import outcome_rows
from boards.queries.facts.evidence import facts_for
from boards.queries.facts.records import definitions, find_named_version
from boards.queries.paging.keyset import Cursor
from boards.queries.reviews.waivers_page import (
    WaiversPage,
    WaiverView,
    stages_with_policy,
    waiver_line,
    waivers_page,
)
from boards.registry.policies import waivers as waiver_writes
from boards.views.http import Request, needs, next_of, page_actor
from boards.views.reviews.forms import RevokeForm, WaiverForm
from obeya.errors import AlreadyClosed, InvalidInput, NotAllowed
from obeya.stages import Stage


@require_safe
@needs(Permission.VIEW)
def waivers(request: Request) -> HttpResponse:
    """Show the active waivers, or the past ones."""
    view, page, problem = WaiverView.ACTIVE, WaiversPage((), None), ""
    after = request.GET.get("after", "")
    try:
        view = WaiverView.parse(request.GET.get("view", ""))
        page = waivers_page(view, timezone.now(), Cursor.parse(after))
    except InvalidInput as error:
        problem = str(error)
    context = {
        "section": "requests",
        "view": view,
        "views": list(WaiverView),
        "page": page,
        "problem": problem,
        "may_waive": has_permission(request.user, Permission.WAIVE),
        "is_older": bool(after),
        "older_query": urlencode({"view": view.value, "after": page.next_cursor})
        if page.next_cursor
        else "",
    }
    return render(request, "waivers.html", context, status=400 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.WAIVE)
def waive(request: Request, name: str, number: int) -> HttpResponse:
    """Waive requirements of one version temporarily; they are chosen by their lines.

    A redirect: granted. 400: nothing chosen, no reason, or an expiry that is past or invalid. 403:
    no permission to waive.
    """
    if request.method != "POST":
        chosen = request.GET.getlist("requirement")
        return _form(request, name, number, WaiverForm(requirements=chosen))
    form = WaiverForm(request.POST)
    if form.is_valid():
        try:
            stage = Stage.parse(request.POST.get("to_stage", ""))
            granted = waiver_writes.waive(
                name=name,
                version=number,
                requirements=form.cleaned_data["requirement"],
                reason=form.cleaned_data["reason"],
                expires_at=form.expires_at(timezone.now()),
                to_stage=stage,
                actor=page_actor(request),
                at=timezone.now(),
            )
        except InvalidInput as error:
            form.refuse(error)
        else:
            count = len(granted.requirements)
            lines = "one requirement" if count == 1 else f"{count} requirements"
            messages.success(request, f"Waived {lines} of {name} v{number} for {stage.label}.")
            back = reverse("boards:version", args=[name, number])
            return HttpResponseRedirect(next_of(request) or back)
    return _form(request, name, number, form)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.WAIVE)
def revoke_waiver(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Revoke a waiver. 403: no permission to waive. 409: it is not active any more."""
    line = waiver_line(uid, timezone.now())
    form = RevokeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            waiver_writes.revoke_waiver(
                uid=uid,
                reason=form.cleaned_data["reason"],
                actor=page_actor(request),
                at=timezone.now(),
            )
        except (AlreadyClosed, InvalidInput, NotAllowed) as error:
            form.refuse(error)
            line = waiver_line(uid, timezone.now())
        else:
            waiver = line.waiver
            messages.success(request, f"Waiver of {waiver.model} v{waiver.version} revoked.")
            back = reverse("boards:version", args=[waiver.model, waiver.version])
            return HttpResponseRedirect(next_of(request) or back)
    context = {"section": "requests", "line": line, "form": form, "next": next_of(request)}
    return render(request, "waiver_revoke.html", context, status=form.status)


def _form(request: Request, name: str, number: int, form: WaiverForm) -> HttpResponse:
    version = find_named_version(name, number)
    stages = stages_with_policy(version)
    stage = _stage(request, version.stage, stages)
    context: dict[str, Any] = {
        "section": "models",
        "version": version,
        "stages": stages,
        "to_stage": stage,
        "outcomes": [],
        "form": form,
        "site_zone": settings.TIME_ZONE,
        "next": next_of(request),
    }
    if stage is not None:
        facts = facts_for(version, stage)[0]
        rows = outcome_rows(facts.check_policy(), definitions())
        # Failing requirements come first: they are the reason to open this page.
        context["outcomes"] = sorted(rows, key=lambda row: row.lets_pass)
    return render(request, "waive.html", context, status=form.status)


def _stage(request: Request, now_in: str, stages: tuple[Stage, ...]) -> Stage | None:
    """Return the requested stage, else the next one, else the first one with a policy."""
    wanted = request.POST.get("to_stage") or request.GET.get("to_stage", "")
    following = Stage(now_in).next
    for stage in stages:
        if stage.value == wanted:
            return stage
    if following in stages:
        return following
    return stages[0] if stages else None
