"""The rollback of a model: the dialog, its preview, and the rollback itself."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods

from boards.access.permissions import Permission
from boards.queries.facts.records import find_model
from boards.queries.facts.rollback import RollbackPlan, rollback_plan
from boards.queries.paging.whole_number import whole_number
from boards.registry.transitions import rollback as rollback_writes
from boards.views.board.moved import moved_answer
from boards.views.http import Request, needs, next_of, page_actor
from boards.views.transitions.forms import RollbackForm
from obeya.errors import InvalidInput, NotFound
from obeya.refusals import Conflict


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.PROMOTE)
def rollback(request: Request, name: str) -> HttpResponse:
    """Show the rollback dialog, or roll back.

    200 or a redirect: rolled back. 400: the form is invalid, or that version cannot be put back.
    404: no such version. 409: other versions are in Production than the form says. Errors show the
    dialog again, with the current state. ``?part=plan`` returns only the middle of the dialog, for
    another version.
    """
    if request.method != "POST":
        return _dialog(request, name, RollbackForm(), wanted=request.GET.get("to_version", ""))
    form = RollbackForm(request.POST)
    if form.is_valid():
        try:
            moved = rollback_writes.rollback(
                name=name,
                to_version=form.cleaned_data["to_version"],
                reason=form.cleaned_data["reason"],
                expected_production=_seen(request.POST.get("standing")),
                actor=page_actor(request),
                at=timezone.now(),
            )
        except (InvalidInput, NotFound, Conflict) as error:
            form.refuse(error)
        else:
            return moved_answer(request, moved)
    return _dialog(request, name, form, wanted=request.POST.get("to_version", ""))


def _dialog(request: Request, name: str, form: RollbackForm, *, wanted: str) -> HttpResponse:
    plan = rollback_plan(find_model(name))
    context: dict[str, Any] = {
        "section": "models",
        "plan": plan,
        "choice": plan.choice(whole_number(wanted)) or plan.choice(plan.candidate),
        "form": form,
        "is_conflict": isinstance(form.refusal, Conflict),
        "next": next_of(request),
        "back": next_of(request) or reverse("boards:model", args=[plan.model]),
        "standing": _text(plan),
    }
    template = "rollback.html"
    if request.htmx:
        part = request.GET.get("part") == "plan"
        template += "#plan" if part else "#answer"
    response = render(request, template, context, status=form.status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _text(plan: RollbackPlan) -> str:
    return ",".join(str(number) for number in plan.standing)


def _seen(text: str | None) -> set[int] | None:
    """Return the versions that the form showed in Production; None if it does not say."""
    if text is None:
        return None
    numbers = set()
    for part in filter(None, text.split(",")):
        number = whole_number(part)
        if number is None:
            raise InvalidInput("The form is invalid. Reload the page.", field="standing")
        numbers.add(number)
    return numbers
