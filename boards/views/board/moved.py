"""The response to a move, common to all dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html

from boards import models
from boards.access.permissions import Permission, has_permission
from boards.queries.board.andons import raised_andons
from boards.queries.board.board_columns import cards_of, remarked_versions, stage_counts
from boards.queries.facts.evidence import workflow_of
from boards.queries.facts.records import find_model
from boards.queries.policies.limits import column_limits
from boards.views.board.board import filter_of_page
from boards.views.http import Request, next_of, page_address
from obeya.errors import NotFound
from obeya.records import StageTransition


def moved_answer(request: Request, moved: StageTransition) -> HttpResponse:
    """Return the new cards and a toast for the board; for other pages a reload with a message."""
    sentence = _sentence(moved)
    history = reverse("boards:model_history", args=[moved.model]) if moved.is_rollback else ""
    shown = _shown_on_board(request, moved) if request.htmx and is_board(request) else None
    if shown is None:
        sentence = (
            format_html('<span>{}</span> <a href="{}">History</a>', sentence, history)
            if history
            else sentence
        )
        messages.success(request, sentence)
        if request.htmx:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return HttpResponseRedirect(next_of(request) or reverse("boards:board"))
    context = {"andons": raised_andons(), "sentence": sentence, "history": history, **shown}
    return render(request, "board.html#moved", context)


def _shown_on_board(request: Request, moved: StageTransition) -> dict[str, Any] | None:
    """Return what the board shows of a move; None if the version was deleted since.

    The move was made, so nothing here may answer that something was not found.
    """
    try:
        model = find_model(moved.model)
    except NotFound:
        return None
    numbers = (moved.version, *moved.archived)
    touched = [each for each in (moved.from_stage, moved.to_stage) if each and each.is_gated]
    remarked = remarked_versions(model.pk, touched, numbers)
    shown = board_context(request, model, moved.version, (*moved.archived, *remarked))
    card = next(iter(shown["cards"]), None)
    if card is None or card.number != moved.version:
        return None
    cards = shown["cards"]
    shown["cards"] = [each for each in cards if each.number in numbers]
    shown["remarked"] = [each for each in cards if each.number not in numbers]
    back = None if moved.is_rollback else moved.from_stage
    undo = back if back and workflow_of(model).check(moved.to_stage, back) is None else None
    return {
        **shown,
        "moved": card,
        "undo": undo,
        "requires_reason": settings.OBEYA_REQUIRE_REASON,
    }


def board_context(
    request: Request, model: models.RegisteredModel, version: int, others: Sequence[int] = ()
) -> dict[str, Any]:
    """Return the cards of a model's versions, by number, for the board of the request."""
    board_filter = filter_of_page(request)
    return {
        "filter": board_filter,
        "cards": cards_of(model.pk, version, others, board_filter),
        "counts": stage_counts(board_filter),
        "limits": column_limits(board_filter),
        "may_roll_back": has_permission(request.user, Permission.PROMOTE),
        "may_limit": has_permission(request.user, Permission.EDIT_POLICY),
    }


def is_board(request: Request) -> bool:
    """Return whether an htmx request came from the board."""
    page = page_address(request)
    here = (request.scheme, request.get_host(), reverse("boards:board"))
    return (page.scheme, page.netloc, page.path) == here


def _sentence(moved: StageTransition) -> str:
    name = moved.model
    if moved.is_rollback:
        sentence = f"{name} rolled back: v{moved.version} is in Production again"
    else:
        came_from = moved.from_stage.label if moved.from_stage else "nowhere"
        sentence = f"{name} v{moved.version} moved from {came_from} to {moved.to_stage.label}"
    archived = ", ".join(f"v{number}" for number in moved.archived)
    return f"{sentence}; {archived} archived" if archived else sentence
