"""The promotion record of an event: a printable page, and JSON."""

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
    """Show who made the change, when and why, the policy, the evidence, and how to verify it."""
    context = {"section": "audit", "record": promotion_record(chain, sequence)}
    return render(request, "record.html", context)


@require_safe
@needs(Permission.VIEW)
def record_json(request: Request, chain: uuid.UUID, sequence: int) -> HttpResponse:
    """Send the record as JSON."""
    return JsonResponse(
        record_document(promotion_record(chain, sequence)),
        json_dumps_params={"ensure_ascii": False, "indent": 2},
    )
