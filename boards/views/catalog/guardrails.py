"""Guardrails of a model, and live values reported by hand."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.permissions import Permission, require
from boards.queries.facts.records import find_model
from boards.queries.paging.whole_number import whole_number
from boards.registry.policies import guardrails as guardrail_writes
from boards.views.catalog.operations import operations_context
from boards.views.http import Request, needs, page_actor
from obeya.errors import InvalidInput
from obeya.policy.bounds import Comparison
from obeya.transitions.guardrails import Guardrail, LiveReport


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def set_guardrail(request: Request, name: str) -> HttpResponse:
    """A model's guardrails on a page of their own; a POST sets one.

    400: the form makes no sense, and is shown again with the sentence.
    """
    if request.method != "POST":
        return _page(request, name)
    require(request.user, Permission.EDIT_POLICY)
    try:
        guardrail = Guardrail(
            request.POST.get("metric", ""),
            Comparison.parse(request.POST.get("comparison", "")),
            _value(request.POST, "bound", "The bound"),
            auto_rollback=bool(request.POST.get("auto_rollback")),
        )
    except InvalidInput as error:
        return _page(request, name, set_error=error)
    guardrail_writes.set_guardrail(
        name=name, guardrail=guardrail, actor=page_actor(request), at=timezone.now()
    )
    messages.success(request, f"Guardrail set: {guardrail.describe()}.")
    return _back(name)


@require_POST
@needs(Permission.VIEW)
def remove_guardrail(request: Request, name: str) -> HttpResponse:
    """Take a guardrail away, and the andons with it that it raised."""
    metric = request.POST.get("metric", "")
    guardrail_writes.remove_guardrail(
        name=name, metric=metric, actor=page_actor(request), at=timezone.now()
    )
    messages.success(request, f"The guardrail for {metric} is removed.")
    return _back(name)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def report_live_metric(request: Request, name: str) -> HttpResponse:
    """Report what is measured live of a version in Production. 400 as in `set_guardrail`."""
    if request.method != "POST":
        return _back(name)
    require(request.user, Permission.REGISTER)
    try:
        chosen = request.POST.get("version", "")
        version = whole_number(chosen)
        if chosen and version is None:
            raise InvalidInput("Choose a version from the list.", field="version")
        report = guardrail_writes.report_live_metric(
            name=name,
            metric=request.POST.get("metric", ""),
            value=_value(request.POST, "value", "The value"),
            version=version,
            actor=page_actor(request),
            at=timezone.now(),
        )
    except InvalidInput as error:
        return _page(request, name, report_error=error)
    messages.success(request, _sentence(report))
    return _back(name)


def _page(
    request: Request,
    name: str,
    *,
    set_error: InvalidInput | None = None,
    report_error: InvalidInput | None = None,
) -> HttpResponse:
    model = find_model(name)
    error = set_error or report_error
    context = {
        "section": "models",
        "model_name": model.name,
        **operations_context(request, model),
        "set_error": set_error,
        "set_given": request.POST if set_error else {},
        "report_error": report_error,
        "report_given": request.POST if report_error else {},
    }
    return render(request, "guardrails.html", context, status=error.http_status if error else 200)


def _sentence(report: LiveReport) -> str:
    said = f"Reported of {report.sentence}"
    if report.rolled_back_to is not None:
        return f"{said} The guardrail rolled back to v{report.rolled_back_to}."
    if report.breached:
        return f"{said} The andon is raised."
    return said


def _value(form: Mapping[str, str], field: str, what: str) -> float:
    text = form.get(field, "").strip()
    try:
        return float(text)
    except ValueError:
        said = f"not “{text[:32]}”" if text else "and is missing"
        raise InvalidInput(f"{what} is a number such as 0.02, {said}.", field=field) from None


def _back(name: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("boards:model", args=[name]) + "#guardrails")
