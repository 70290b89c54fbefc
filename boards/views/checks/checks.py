"""Run a policy check, and the page of a stored one."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from boards.access.permissions import Permission, has_permission, may_store_checks
from boards.queries.checks.check_page import check_page
from boards.queries.facts.open_requests import open_request_uid
from boards.registry.transitions.checks import record_policy_check
from boards.views.http import Request, needs, page_actor
from obeya.stages import Stage


@require_POST
@needs(Permission.VIEW)
def check_policy(request: Request, name: str, number: int) -> HttpResponse:
    """Check a version against the policy of ``to_stage``, else of its next stage, and store it."""
    wanted = request.POST.get("to_stage", "").strip()
    made = record_policy_check(
        name=name,
        version=number,
        to_stage=Stage.parse(wanted) if wanted else None,
        actor=page_actor(request),
        at=timezone.now(),
    )
    url = reverse("boards:check", args=[made.uid])
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


@require_safe
@needs(Permission.VIEW)
def check(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Show a stored check: its policy result and the evidence."""
    return render(request, "check.html", {"section": "models", **result_context(request, uid)})


def result_context(request: Request, uid: uuid.UUID) -> dict[str, Any]:
    """Return a stored check and what the user can do about it.

    Raises:
        NotFound: there is no such check.
    """
    page = check_page(uid)
    return {
        "check": page,
        "may_edit": has_permission(request.user, Permission.EDIT_POLICY),
        "may_ask": has_permission(request.user, Permission.TRANSITION),
        "may_check": may_store_checks(request.user),
        "may_waive": has_permission(request.user, Permission.WAIVE),
        "open_request": open_request_uid(page.version_pk, page.to_stage, timezone.now()),
    }


@require_safe
@needs(Permission.VIEW)
def check_json(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Send the stored check as JSON."""
    return JsonResponse(
        dict(check_page(uid).document), json_dumps_params={"ensure_ascii": False, "indent": 2}
    )
