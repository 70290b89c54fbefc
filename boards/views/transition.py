"""Moving a version: the dialog, the move, and what a drag may know before the drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from boards import registry
from boards.models import ModelVersion
from boards.permissions import Right
from boards.queries.board import cards_of, stage_counts
from boards.queries.facts import workflow_of
from boards.queries.moves import MoveOption, last_mover, move_options
from boards.queries.records import find_model, find_version
from boards.views.board import filter_of_page
from boards.views.http import Request, needs, next_of, page_actor
from obeya.errors import Conflict, InvalidInput, NotAllowed, TransitionRefused
from obeya.records import StageTransition
from obeya.stages import Stage

ERRORS = (InvalidInput, NotAllowed, Conflict, TransitionRefused)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.VIEW)
def transition_stage(request: Request, name: str, number: int) -> HttpResponse:
    """The move dialog, and the move itself.

    200 or a redirect: moved. 400: the form makes no sense. 403: no right to this move. 409:
    somebody changed the version since the page was made. 422: the rules refuse, all reasons
    listed. Refusals show the dialog again with the version as it is now.
    """
    if request.method != "POST":
        return _dialog(request, name, number, wanted=request.GET.get("to", ""))
    wanted = request.POST.get("to_stage", "")
    try:
        moved = registry.transition_stage(
            name=name,
            version=number,
            to_stage=Stage.parse(wanted),
            reason=request.POST.get("reason", ""),
            archive_existing=bool(request.POST.get("archive_existing")),
            expected_revision=_revision(request.POST.get("expected_revision", "")),
            actor=page_actor(request),
            at=timezone.now(),
        )
    except ERRORS as error:
        return _dialog(request, name, number, wanted=wanted, error=error)
    return _moved(request, moved)


@require_safe
@needs(Right.VIEW)
def moves(request: Request, name: str, number: int) -> JsonResponse:
    """What each stage says to this version, for a card that was picked up."""
    version = find_version(find_model(name), number)
    return JsonResponse(
        {
            option.stage.value: {
                "allowed": option.allowed,
                "here": option.is_here,
                "note": _note(option),
            }
            for option in move_options(version, request.user)
        }
    )


def _note(option: MoveOption) -> str:
    if option.is_here:
        return ""
    if not option.allowed:
        return option.why_not
    verdict = option.judgement.verdict
    sentences = [verdict.sentence] if verdict is not None and verdict.has_policy else []
    if option.stage is Stage.PRODUCTION and option.occupants:
        sentences.append(f"Now there: {_versions(option.occupants)}.")
    return " ".join(sentences) or "Drop it here."


def _dialog(
    request: Request,
    name: str,
    number: int,
    *,
    wanted: str,
    error: InvalidInput | NotAllowed | Conflict | TransitionRefused | None = None,
) -> HttpResponse:
    version = find_version(find_model(name), number)
    options = move_options(version, request.user)
    context: dict[str, Any] = {
        "section": "board",
        "version": version,
        "stage": Stage(version.stage),
        "options": options,
        "selected": _selected(options, wanted),
        "can_move": any(option.allowed for option in options),
        "error": error,
        "next": next_of(request),
        "given": request.POST,
    }
    if isinstance(error, Conflict):
        context["last_mover"] = last_mover(version)
    if request.htmx and error is not None and _is_board(request):
        context |= _board_context(request, version)
    response = render(
        request,
        "transition.html#answer" if request.htmx else "transition.html",
        context,
        status=error.http_status if error else 200,
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


def _moved(request: Request, moved: StageTransition) -> HttpResponse:
    model = find_model(moved.model)
    version = find_version(model, moved.version)
    sentence = _sentence(moved)
    if not request.htmx:
        messages.success(request, sentence)
        return HttpResponseRedirect(next_of(request) or reverse("boards:board"))
    if not _is_board(request):
        messages.success(request, sentence)
        return HttpResponse(headers={"HX-Refresh": "true"})
    others = [find_version(model, other).pk for other in moved.archived]
    back = moved.from_stage
    undo = back if back and workflow_of(model).check(moved.to_stage, back) is None else None
    return render(
        request,
        "board.html#moved",
        {
            **_board_context(request, version, others),
            "sentence": sentence,
            "undo": undo,
            "version": version,
        },
    )


def _board_context(
    request: Request, version: ModelVersion, others: Sequence[int] = ()
) -> dict[str, Any]:
    board_filter = filter_of_page(request)
    return {
        "filter": board_filter,
        "cards": cards_of(version.pk, others, board_filter),
        "counts": stage_counts(board_filter),
    }


def _sentence(moved: StageTransition) -> str:
    came_from = moved.from_stage.label if moved.from_stage else "nowhere"
    sentence = f"{moved.model} v{moved.version} moved from {came_from} to {moved.to_stage.label}"
    return f"{sentence}; {_versions(moved.archived)} archived" if moved.archived else sentence


def _versions(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"v{number}" for number in numbers)


def _selected(options: tuple[MoveOption, ...], wanted: str) -> Stage | None:
    """The stage asked for, else the first further on that would be allowed."""
    try:
        return Stage.parse(wanted)
    except InvalidInput:
        return next((option.stage for option in options if option.allowed), None)


def _revision(text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(
            "The form's revision is no number; load the page again.", field="expected_revision"
        ) from None


def _is_board(request: Request) -> bool:
    return request.htmx.current_url_abs_path is not None and (
        request.htmx.current_url_abs_path.split("?")[0] == reverse("boards:board")
    )
