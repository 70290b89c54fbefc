"""The page of one model version."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from boards.permissions import Right, has_right
from boards.queries.version_page import version_page
from boards.views.http import Request, needs


@require_safe
@needs(Right.VIEW)
def version(request: Request, name: str, number: int) -> HttpResponse:
    """The version's evidence, its verdict for the next stage, and its moves."""
    page = version_page(name, number)
    return render(
        request,
        "version.html",
        {
            "section": "models",
            "page": page,
            "version": page.version,
            "may_ask": has_right(request.user, Right.TRANSITION),
            "may_waive": has_right(request.user, Right.WAIVE),
        },
    )
