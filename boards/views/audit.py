"""The audit log: all of it, a model's and a version's."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from boards.permissions import Right
from boards.queries.audit_filter import AuditFilter
from boards.queries.audit_page import AuditPage, Scope, audit_page, scope_of
from boards.queries.keyset import Cursor
from boards.views.http import Request, needs
from obeya.errors import InvalidInput
from obeya.records import Action, Channel
from obeya.stages import Stage

FIELDS = ("actor", "action", "model", "version", "stage", "since", "until", "channel")
# What a model's or a version's own history leaves out, because its address says it.
SCOPED = ("model", "version")


@require_safe
@needs(Right.VIEW)
def audit(request: Request) -> HttpResponse:
    """Every event of every chain."""
    return _answer(request, None)


@require_safe
@needs(Right.VIEW)
def model_history(request: Request, name: str) -> HttpResponse:
    """The chain of one model."""
    return _answer(request, scope_of(name))


@require_safe
@needs(Right.VIEW)
def version_history(request: Request, name: str, number: int) -> HttpResponse:
    """The events of one version."""
    return _answer(request, scope_of(name, number))


def _answer(request: Request, scope: Scope | None) -> HttpResponse:
    """The page, or for htmx the events alone. A filter that cannot be read shows no events."""
    values = {
        field: request.GET.get(field, "").strip()
        for field in FIELDS
        if scope is None or field not in SCOPED
    }
    chosen, problems = AuditFilter.parse(values)
    page = AuditPage((), None)
    after = request.GET.get("after", "")
    if not problems:
        try:
            page = audit_page(chosen, scope, Cursor.parse(after))
        except InvalidInput as error:
            problems = {error.field or "after": str(error)}
    stated = {field: value for field, value in values.items() if value}
    context = {
        "section": "audit",
        "scope": scope,
        "page": page,
        "values": values,
        "problems": problems,
        "is_filtered": bool(stated),
        "is_older": bool(after),
        "older_query": urlencode({**stated, "after": page.next_cursor}) if page.next_cursor else "",
        "newest_query": urlencode(stated),
        "actions": list(Action),
        "channels": list(Channel),
        "stages": list(Stage),
    }
    htmx = request.htmx
    fragment = htmx and not htmx.boosted and not htmx.history_restore_request
    template = "audit.html#events" if fragment else "audit.html"
    response = render(request, template, context, status=400 if problems else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response
