"""The audit log."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import Field

from boards.access.permissions import Permission
from boards.api.answers import answer, page
from boards.api.guard import ApiRequest
from boards.api.paging import CursorText, Limit, time_place
from boards.api.schemas.access import Event, Head
from boards.api.schemas.basics import Items, Page
from boards.queries.audit.audit_events import events_page
from boards.queries.audit.audit_filter import AuditFilter
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.verification.verification_state import chain_heads
from obeya.errors import InvalidInput

router = Router(tags=["Audit"])

Text = Annotated[str, Query(), Field(max_length=256)]


@router.get("/audit/events", response=Page[Event])
def list_events(
    request: ApiRequest,
    model: Text = "",
    version: Text = "",
    actor: Text = "",
    action: Text = "",
    stage: Text = "",
    channel: Text = "",
    since: Annotated[Text, Field(description="The first day, for example 2026-03-31.")] = "",
    until: Annotated[Text, Field(description="The last day, for example 2026-03-31.")] = "",
    cursor: CursorText = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List events, newest first.

    Each event has the format of the export, so it can be verified separately.
    """
    request.actor.require_anywhere(Permission.VIEW)
    chosen, problems = AuditFilter.parse(
        {
            "model": model,
            "version": version,
            "actor": actor,
            "action": action,
            "stage": stage,
            "channel": channel,
            "since": since,
            "until": until,
        }
    )
    for field, sentence in problems.items():
        raise InvalidInput(sentence, field=field)
    events, after = events_page(
        chosen, visible_models(request.actor), after=time_place(cursor), limit=limit
    )
    return page(events, str(after) if after else None)


@router.get("/audit/heads", response=Items[Head])
def list_heads(request: ApiRequest, model: Text = "") -> HttpResponse:
    """List the last event of each chain, so that you can store it outside the registry.

    `model` (optional) limits the list to the models with this name, including deleted ones.
    """
    request.actor.require(Permission.VIEW, model or None)
    heads = chain_heads(model or None)
    return answer(
        {
            "items": [
                {
                    "chain": head.chain,
                    "model": head.name,
                    "events": head.length,
                    "hash": head.hash,
                }
                for head in heads
            ]
        }
    )
