"""The move of a version: the dialog, the move, and what a drag shows before the drop."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from boards.access.permissions import Permission
from boards.queries.facts.evidence import workflow_of
from boards.queries.facts.records import find_named_version
from boards.queries.paging.whole_number import whole_number
from boards.queries.transitions.moves import MoveOption, last_change, move_options
from boards.registry.transitions import transitions as transition_writes
from boards.views.board.moved import board_context, is_board, moved_answer
from boards.views.checks.checks import result_context
from boards.views.http import Request, needs, next_of, page_actor
from obeya.errors import InvalidInput, NotAllowed, RefusalKind
from obeya.refusals import Conflict, TransitionRefused
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

ERRORS = (InvalidInput, NotAllowed, Conflict, TransitionRefused)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def transition_stage(request: Request, name: str, number: int) -> HttpResponse:
    """Show the move dialog, or move the version.

    200 or a redirect: moved. 400: the form is invalid. 403: no permission for this move. 409:
    someone changed the version since the page was loaded. 422: the move is refused, with all
    reasons. Refusals show the dialog again with the current version.
    """
    if request.method != "POST":
        return _dialog(request, name, number, wanted=request.GET.get("to", ""))
    wanted = request.POST.get("to_stage", "")
    try:
        moved = transition_writes.transition_stage(
            name=name,
            version=number,
            intent=TransitionIntent(
                to_stage=Stage.parse(wanted),
                reason=request.POST.get("reason", ""),
                archive_existing=wanted in request.POST.getlist("archive_existing"),
                expected_revision=_revision(request.POST.get("expected_revision", "")),
            ),
            actor=page_actor(request),
            at=timezone.now(),
        )
    except ERRORS as error:
        return _dialog(request, name, number, wanted=wanted, error=error)
    return moved_answer(request, moved)


@require_safe
@needs(Permission.VIEW)
def moves(request: Request, name: str, number: int) -> JsonResponse:
    """Return the possible moves of this version by stage, for a card that is being dragged."""
    version = find_named_version(name, number)
    return JsonResponse(
        {
            option.stage.value: {
                "allowed": option.allowed,
                "here": option.is_here,
                "note": _note(option),
                "warns": option.is_warned,
                "asks": option.needs_room,
            }
            for option in move_options(version, request.user)
        }
    )


def _note(option: MoveOption) -> str:
    if option.is_here:
        return ""
    if not option.allowed:
        return option.why_not
    judgement = option.judged
    policy_result = judgement.policy_result
    sentences = (
        [judgement.sentence] if policy_result is not None and policy_result.has_policy else []
    )
    sentences += [str(warning) for warning in judgement.warnings]
    if option.needs_room:
        sentences.append(f"{option.full} Archive {option.occupants_text} in the same move.")
    elif option.stage is Stage.PRODUCTION and option.occupants:
        sentences.append(f"Now in Production: {option.occupants_text}.")
    return " ".join(sentences) or "Drop it here."


def _dialog(
    request: Request,
    name: str,
    number: int,
    *,
    wanted: str,
    error: InvalidInput | NotAllowed | Conflict | TransitionRefused | None = None,
) -> HttpResponse:
    version = find_named_version(name, number)
    options = move_options(version, request.user)
    context: dict[str, Any] = {
        "section": "board",
        "version": version,
        "stage": Stage(version.stage),
        "options": options,
        "selected": _selected(options, wanted),
        "archiving_is_final": not workflow_of(version.model).allowed_from(Stage.ARCHIVED),
        "leaves_nothing": Stage(version.stage) is Stage.PRODUCTION
        and version.model.production_count == 1,
        "can_move": any(option.allowed for option in options),
        "error": error,
        "requires_reason": settings.OBEYA_REQUIRE_REASON,
        "next": next_of(request),
        "given": request.POST,
        "archived": request.POST.getlist("archive_existing"),
    }
    if isinstance(error, TransitionRefused) and error.check_id and _by_policy(error):
        context |= result_context(request, uuid.UUID(error.check_id))
    if isinstance(error, Conflict):
        context["last_change"] = last_change(version)
    if request.htmx and error is not None and is_board(request):
        context |= board_context(request, version.model, version.number)
    response = render(
        request,
        "transition.html#answer" if request.htmx else "transition.html",
        context,
        status=error.http_status if error else 200,
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


def _by_policy(error: TransitionRefused) -> bool:
    return any(refusal.kind is RefusalKind.POLICY for refusal in error.refusals)


def _selected(options: tuple[MoveOption, ...], wanted: str) -> Stage | None:
    """Return the requested stage, else the first one ahead to which the move is allowed.

    Never Archived by default: if archiving is final, two key presses would be irreversible.
    """
    try:
        return Stage.parse(wanted)
    except InvalidInput:
        open_to = (o.stage for o in options if o.allowed and o.stage is not Stage.ARCHIVED)
        return next(open_to, None)


def _revision(text: str) -> int | None:
    if not text:
        return None
    number = whole_number(text)
    if number is None:
        raise InvalidInput(
            "The form's revision is not a number. Reload the page.", field="expected_revision"
        )
    return number
