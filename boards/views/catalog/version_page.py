"""The page of one model version."""

from __future__ import annotations

import shlex

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission, has_permission, may_store_checks
from boards.queries.catalog.version_page import version_page
from boards.views.http import Request, needs
from obeya.errors import RegistryError


@require_safe
@needs(Permission.VIEW)
def version(request: Request, name: str, number: int) -> HttpResponse:
    """Show the version's evidence, its policy result for the next stage, and its moves."""
    return show_version(request, name, number)


def show_version(
    request: Request, name: str, number: int, *, upload_problem: RegistryError | None = None
) -> HttpResponse:
    """Return the page, with the error beside the form of its files if they were refused."""
    page = version_page(name, number)
    return render(
        request,
        "version.html",
        {
            "section": "models",
            "page": page,
            "version": page.version,
            "shell_name": shlex.quote(name),
            "here": reverse("boards:version", args=[name, number]),
            "may_ask": has_permission(request.user, Permission.TRANSITION),
            "may_check": may_store_checks(request.user),
            "may_waive": has_permission(request.user, Permission.WAIVE),
            "upload_problem": str(upload_problem or ""),
        },
        status=upload_problem.http_status if upload_problem else 200,
    )
