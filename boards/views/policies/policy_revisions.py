"""The revisions of a stage's policy."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.paging.whole_number import whole_number
from boards.queries.policies.policy_revisions import revisions_page
from boards.views.http import Request, needs
from obeya.errors import NotFound


@require_safe
@needs(Permission.VIEW)
def revisions(request: Request, stage: str, name: str | None = None) -> HttpResponse:
    """Show all revisions, a page at a time; ``?old=1&new=3`` shows the difference of two."""
    before = whole_number(request.GET.get("before", ""))
    problem, status, pair = "", 200, None
    asked = [request.GET.get(side, "") for side in ("old", "new")]
    if any(asked):
        old, new = (whole_number(text) for text in asked)
        if old is None or new is None:
            problem, status = "Choose two revisions to compare.", 400
        else:
            pair = old, new
    try:
        page = revisions_page(stage, name, timezone.now(), before=before, pair=pair)
    except NotFound as error:
        if pair is None:
            raise
        page = revisions_page(stage, name, timezone.now(), before=before)
        problem, status = str(error), error.http_status
    context = {
        "section": "policies",
        "page": page,
        "problem": problem,
        "is_newest": before is None,
        "may_edit": has_permission(request.user, Permission.EDIT_POLICY),
    }
    return render(request, "policy_revisions.html", context, status=status)
