"""WIP limits of the whole registry and of a model."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.permissions import Permission, require
from boards.queries.facts.records import find_model
from boards.queries.policies.limits import limits_panel
from boards.registry.policies import limits as limit_writes
from boards.views.catalog.forms import LimitForm
from boards.views.http import Request, needs, page_actor
from boards.views.policies.operations import limits_context
from obeya.errors import InvalidInput, NotFound
from obeya.stages import Stage
from obeya.transitions.limits import LimitMode


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def set_wip_limit(request: Request, name: str | None = None) -> HttpResponse:
    """Show the limits of the whole registry, or of a model; a POST sets one.

    400: the form is invalid, and is shown again with the error beside its stage.
    """
    if request.method != "POST":
        return _page(request, name)
    require(request.user, Permission.EDIT_POLICY)
    form = LimitForm(Stage.parse(request.POST.get("stage", "")), request.POST)
    if form.is_valid():
        try:
            limit = form.wip_limit
        except InvalidInput as error:
            form.refuse(error)
        else:
            limit_writes.set_wip_limit(
                limit=limit, name=name, actor=page_actor(request), at=timezone.now()
            )
            when_full = "refused" if limit.mode is LimitMode.BLOCK else "allowed with a warning"
            sentence = (
                f"{limit.stage.label}: at most {limit.limit:,}. When full, moves are {when_full}."
            )
            messages.success(request, sentence)
            return _back(name)
    return _page(request, name, form)


@require_POST
@needs(Permission.VIEW)
def remove_wip_limit(request: Request, name: str | None = None) -> HttpResponse:
    """Remove the limit of a stage; a missing limit is not an error."""
    require(request.user, Permission.EDIT_POLICY)
    stage = Stage.parse(request.POST.get("stage", ""))
    try:
        limit_writes.remove_wip_limit(
            stage=stage, name=name, actor=page_actor(request), at=timezone.now()
        )
    except NotFound as error:
        if error.what != "wip_limit":
            raise
    messages.success(request, f"WIP limit for {stage.label} removed ({name or 'all models'}).")
    return _back(name)


def _page(request: Request, name: str | None, form: LimitForm | None = None) -> HttpResponse:
    panel = limits_panel(None if name is None else find_model(name))
    context = {
        "section": "board" if name is None else "models",
        "form": form,
        **limits_context(request, panel, form),
    }
    return render(request, "limits.html", context, status=form.status if form else 200)


def _back(name: str | None) -> HttpResponseRedirect:
    if name is None:
        return HttpResponseRedirect(reverse("boards:site_limits"))
    return HttpResponseRedirect(reverse("boards:model", args=[name]) + "#limits")
