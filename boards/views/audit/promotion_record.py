"""The promotion record of an event: a page that prints, and JSON."""

from __future__ import annotations

import uuid

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission
from boards.queries.audit.promotion_record import promotion_record
from boards.queries.audit.record_document import record_document
from boards.views.http import Request, needs


@require_safe
@needs(Permission.VIEW)
def record(request: Request, chain: uuid.UUID, sequence: int) -> HttpResponse:
    """Who did it, when and why, by which policy, on what evidence, and how to verify that."""
    context = {"section": "audit", "record": promotion_record(chain, sequence)}
    return render(request, "record.html", context)


@require_safe
@needs(Permission.VIEW)
def record_json(request: Request, chain: uuid.UUID, sequence: int) -> HttpResponse:
    """The same as JSON."""
    return JsonResponse(
        record_document(promotion_record(chain, sequence)),
        json_dumps_params={"ensure_ascii": False, "indent": 2},
    )
