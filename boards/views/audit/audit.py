"""The audit log: all of it, a model's and a version's; its export and its verification."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_POST, require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.audit.audit_export import ExportForm, export_lines
from boards.queries.audit.audit_filter import AuditFilter, Side
from boards.queries.audit.audit_page import AuditPage, Scope, audit_page, scope_of
from boards.queries.paging.keyset import Cursor
from boards.queries.verification.verification_state import chain_state, verification_state
from boards.registry.verification import verify_new_events
from boards.views.http import Request, needs, page_actor
from obeya.errors import InvalidInput
from obeya.records import Action, Channel
from obeya.stages import Stage

FIELDS = ("actor", "action", "model", "version", "stage", "side", "since", "until", "channel")
# The history of a model or version has no fields for what its URL says.
SCOPED = ("model", "version")
# Lines of an export are sent in pieces of about this many characters.
PIECE = 64 * 1024


@require_safe
@needs(Permission.VIEW)
def audit(request: Request) -> HttpResponse:
    """Show the events of all chains."""
    return _answer(request, None)


@require_safe
@needs(Permission.VIEW)
def model_history(request: Request, name: str) -> HttpResponse:
    """Show the chain of one model."""
    return _answer(request, scope_of(name))


@require_safe
@needs(Permission.VIEW)
def version_history(request: Request, name: str, number: int) -> HttpResponse:
    """Show the events of one version."""
    return _answer(request, scope_of(name, number))


@require_safe
@needs(Permission.VIEW)
def export_audit(
    request: Request, form: str, name: str | None = None, number: int | None = None
) -> HttpResponseBase:
    """Send the events that match the page's filter as a file, or the page if the filter is invalid.

    The file is streamed: memory use does not grow with its length.
    """
    if form not in set(ExportForm):
        raise Http404
    scope = None if name is None else scope_of(name, number)
    _, chosen, problems = _filter(request, scope)
    if problems:
        return _answer(request, scope)
    try:
        lines = export_lines(ExportForm(form), chosen, scope)
    except InvalidInput:
        return _answer(request, scope)
    response = StreamingHttpResponse(_pieces(lines), content_type=ExportForm(form).media_type)
    disposition = content_disposition_header(as_attachment=True, filename=_file_name(scope, form))
    response["Content-Disposition"] = disposition or "attachment"
    return response


@require_POST
@needs(Permission.ADMINISTER)
def verify_audit(request: Request) -> HttpResponse:
    """Verify what no verification has covered yet, within limits, and show the outcome."""
    run = verify_new_events(actor=page_actor(request), at=timezone.now())
    sentence = f"Verified {run.events:,} new event{'' if run.events == 1 else 's'} (chains only)"
    if run.broken_count:
        sentence += f": {run.broken_count} chain{'' if run.broken_count == 1 else 's'} broken."
    else:
        sentence += ": no problem found." if run.events else ": there were no new events."
    messages.info(request, sentence)
    return redirect("boards:audit")


def _filter(
    request: Request, scope: Scope | None
) -> tuple[dict[str, str], AuditFilter, dict[str, str]]:
    """Return the given fields, the filter of the valid ones, and the problems of the others."""
    values = {
        field: request.GET.get(field, "").strip()
        for field in FIELDS
        if scope is None or field not in SCOPED
    }
    return values, *AuditFilter.parse(values)


def _answer(request: Request, scope: Scope | None) -> HttpResponse:
    """Return the page, or for htmx only the events. An invalid filter shows no events."""
    values, chosen, problems = _filter(request, scope)
    page = AuditPage((), None)
    after = request.GET.get("after", "")
    if not problems:
        try:
            page = audit_page(chosen, scope, Cursor.parse(after))
        except InvalidInput as error:
            problems = {error.field or "after": str(error)}
    stated = {field: value for field, value in values.items() if value}
    htmx = request.htmx
    fragment = htmx and not htmx.boosted and not htmx.history_restore_request
    context: dict[str, object] = {
        "section": "audit",
        "scope": scope,
        "address": _address(request),
        "page": page,
        "values": values,
        "chosen": chosen,
        "problems": problems,
        "is_filtered": bool(stated),
        "is_older": bool(after),
        "older_query": urlencode({**stated, "after": page.next_cursor}) if page.next_cursor else "",
        "newest_query": urlencode(stated),
        "actions": list(Action),
        "channels": list(Channel),
        "stages": list(Stage),
        "sides": list(Side),
        "forms": list(ExportForm),
    }
    if not fragment:
        context |= _state(request, scope)
    template = "audit.html#events" if fragment else "audit.html"
    response = render(request, template, context, status=400 if problems else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _address(request: Request) -> str:
    """Return the URL of the page, also if an export is answered with the page."""
    return escape_uri_path(request.path.rpartition("/")[0] + "/")


def _state(request: Request, scope: Scope | None) -> dict[str, object]:
    """Return how far the log, or the chain of the scope's model, was verified."""
    if scope is not None:
        return {"chain_state": chain_state(scope.chain)}
    return {
        "state": verification_state(),
        "may_verify": has_permission(request.user, Permission.ADMINISTER),
    }


def _file_name(scope: Scope | None, form: str) -> str:
    about = [slugify(scope.title)] if scope and slugify(scope.title) else []
    return "-".join(["obeya-audit", *about, f"{timezone.localdate():%Y-%m-%d}"]) + f".{form}"


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    """Join lines into larger pieces, each of which is compressed and sent separately."""
    piece: list[str] = []
    length = 0
    for line in lines:
        piece.append(line)
        length += len(line)
        if length >= PIECE:
            yield "".join(piece)
            piece, length = [], 0
    yield "".join(piece)
