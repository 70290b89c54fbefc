"""Guardrails of a model, and live values reported by hand."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.permissions import Permission, require
from boards.queries.facts.records import find_model
from boards.registry.policies import guardrails as guardrail_writes
from boards.views.catalog.forms import GuardrailForm, LiveValueForm
from boards.views.http import Request, needs, page_actor
from boards.views.policies.operations import operations_context
from obeya.errors import InvalidInput
from obeya.transitions.guardrails import LiveReport


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def set_guardrail(request: Request, name: str) -> HttpResponse:
    """Show a model's guardrails on a separate page; a POST sets one.

    400: the form is invalid, and is shown again with the error.
    """
    if request.method != "POST":
        return _page(request, name)
    require(request.user, Permission.EDIT_POLICY)
    form = GuardrailForm(request.POST)
    if form.is_valid():
        try:
            guardrail = form.guardrail
        except InvalidInput as error:
            form.refuse(error)
        else:
            guardrail_writes.set_guardrail(
                name=name, guardrail=guardrail, actor=page_actor(request), at=timezone.now()
            )
            messages.success(request, f"Guardrail set: {guardrail.describe()}.")
            return _back(name)
    return _page(request, name, guardrail_form=form)


@require_POST
@needs(Permission.VIEW)
def remove_guardrail(request: Request, name: str) -> HttpResponse:
    """Remove a guardrail, and clear the alerts that it raised."""
    metric = request.POST.get("metric", "")
    guardrail_writes.remove_guardrail(
        name=name, metric=metric, actor=page_actor(request), at=timezone.now()
    )
    messages.success(request, f"Guardrail for {metric} removed.")
    return _back(name)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def report_live_metric(request: Request, name: str) -> HttpResponse:
    """Report a live value of a version in Production. 400 as in `set_guardrail`."""
    if request.method != "POST":
        return _back(name)
    require(request.user, Permission.REGISTER)
    form = LiveValueForm(request.POST)
    if form.is_valid():
        try:
            report = guardrail_writes.report_live_metric(
                name=name, **form.cleaned_data, actor=page_actor(request), at=timezone.now()
            )
        except InvalidInput as error:
            form.refuse(error)
        else:
            messages.success(request, _sentence(report))
            return _back(name)
    return _page(request, name, live_value_form=form)


def _page(
    request: Request,
    name: str,
    *,
    guardrail_form: GuardrailForm | None = None,
    live_value_form: LiveValueForm | None = None,
) -> HttpResponse:
    model = find_model(name)
    context = {
        "section": "models",
        "model_name": model.name,
        **operations_context(
            request, model, guardrail_form=guardrail_form, live_value_form=live_value_form
        ),
    }
    sent = guardrail_form or live_value_form
    return render(request, "guardrails.html", context, status=sent.status if sent else 200)


def _sentence(report: LiveReport) -> str:
    said = f"Live value reported: {report.sentence}"
    if report.rolled_back_to is not None:
        return f"{said} The guardrail rolled back to v{report.rolled_back_to}."
    if report.breached:
        return f"{said} The guardrail raised an alert (andon)."
    return said


def _back(name: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("boards:model", args=[name]) + "#guardrails")
