"""The pages of webhooks: endpoints, their deliveries, and the actions on them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from boards.access.permissions import Permission
from boards.models import Webhook
from boards.queries.facts import webhooks as queries
from boards.queries.paging.whole_number import ID_MAX, whole_number
from boards.registry.webhooks import deliveries as delivery_writes
from boards.registry.webhooks import endpoints as endpoint_writes
from boards.views.http import Request, needs, page_actor
from boards.views.webhooks.forms import (
    ChangedEndpointForm,
    EndpointForm,
    NewEndpointForm,
    ReplayForm,
    SecretForm,
)
from boards.webhooks.guard import destination_warnings
from obeya.errors import AlreadyExists, InvalidInput
from obeya.records import Action
from obeya.refusals import Conflict
from obeya.webhooks.endpoints import HEADS, Target
from obeya.webhooks.schedule import DeliveryStatus

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.ADMINISTER)
def webhooks(request: Request) -> HttpResponse:
    """Show all endpoints, and the form of a new one; a new endpoint's secret is shown once."""
    form = NewEndpointForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        values = form.cleaned_data
        try:
            made, secret = endpoint_writes.create_webhook(
                name=values["name"],
                target=values["target"],
                address=values["address"],
                subscription=form.subscription,
                allow_similar=values["allow_similar"],
                actor=page_actor(request),
                at=timezone.now(),
            )
        except (InvalidInput, AlreadyExists) as error:
            form.refuse(error)
        else:
            _warn(request, made)
            return _list(request, NewEndpointForm(), made=made, secret=secret)
    return _list(request, form)


def _warn(request: Request, row: Webhook) -> None:
    for warning in destination_warnings(Target(row.target), row.address):
        messages.warning(request, warning)


def _list(request: Request, form: NewEndpointForm, **more: Any) -> HttpResponse:
    found = queries.endpoints(timezone.now())
    context = {"endpoints": found, **_form_context(form), **more}
    response = render(request, "webhooks.html", context, status=form.status)
    if "secret" in context:
        add_never_cache_headers(response)
    return response


def _form_context(form: EndpointForm) -> dict[str, Any]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for action in Action:
        noun = action.value.partition(".")[0].replace("_", " ")
        noun = noun.replace("wip", "WIP").replace("api", "API").replace("andon", "alert (andon)")
        groups.setdefault(noun, []).append((action.value, action.sentence))
    checkpoint = "audit checkpoint: once a day, the newest hash of every audit chain"
    groups["audit log"] = [(HEADS, checkpoint)]
    return {
        "section": "webhooks",
        "form": form,
        "groups": groups,
        "kept_days": settings.OBEYA_WEBHOOK_DAYS,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.ADMINISTER)
def webhook(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Show one endpoint with its deliveries; a POST changes it."""
    if request.method != "POST":
        return _one(request, uid)
    form = ChangedEndpointForm(request.POST)
    if form.is_valid():
        values = form.cleaned_data
        try:
            row = endpoint_writes.change_webhook(
                uid=uid,
                name=values["name"],
                address=values["address"],
                subscription=form.subscription,
                expected_revision=values["revision"],
                allow_similar=values["allow_similar"],
                actor=page_actor(request),
                at=timezone.now(),
            )
        except (InvalidInput, AlreadyExists, Conflict) as error:
            form.refuse(error)
        else:
            messages.success(request, f"Endpoint “{values['name'].strip()}” updated.")
            _warn(request, row)
            return redirect("boards:webhook", uid)
    return _one(request, uid, form=form)


def _one(
    request: Request,
    uid: uuid.UUID,
    *,
    form: ChangedEndpointForm | None = None,
    secret_form: SecretForm | None = None,
    replay_form: ReplayForm | None = None,
    secret: str = "",
) -> HttpResponse:
    endpoint = queries.endpoint(uid, timezone.now())
    wanted = request.GET.get("status", "")
    chosen = DeliveryStatus(wanted) if wanted in set(DeliveryStatus) else None
    before = whole_number(request.GET.get("before", ""), at_most=ID_MAX)
    context = {
        "endpoint": endpoint,
        "secret": secret,
        "page": queries.deliveries(endpoint.row, status=chosen, before=before, limit=PAGE),
        "status": chosen,
        "statuses": list(DeliveryStatus),
        "is_newest": before is None,
        "secret_form": secret_form or SecretForm(initial={"overlap_hours": 24}),
        "replay_form": replay_form or ReplayForm(),
        **_form_context(form or ChangedEndpointForm.of(endpoint)),
    }
    sent = form or secret_form or replay_form
    response = render(request, "webhook.html", context, status=sent.status if sent else 200)
    # The form contains the whole address, which for a chat is a secret.
    add_never_cache_headers(response)
    return response


@require_POST
@needs(Permission.ADMINISTER)
def rotate_secret(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Replace the secret of an endpoint; the response shows the new one, once."""
    form = SecretForm(request.POST)
    if form.is_valid():
        try:
            _, secret = endpoint_writes.rotate_secret(
                uid=uid,
                overlap_hours=form.cleaned_data["overlap_hours"],
                actor=page_actor(request),
                at=timezone.now(),
            )
        except InvalidInput as error:
            form.refuse(error)
        else:
            return _one(request, uid, secret=secret)
    return _one(request, uid, secret_form=form)


@require_POST
@needs(Permission.ADMINISTER)
def change_state(request: Request, uid: uuid.UUID, deed: str) -> HttpResponse:
    """Enable, disable, test or remove an endpoint."""
    function, sentence = _DEEDS[deed]
    function(uid=uid, actor=page_actor(request), at=timezone.now())
    messages.success(request, sentence)
    return redirect("boards:webhooks") if deed == "remove" else redirect("boards:webhook", uid)


_DEEDS: dict[str, tuple[Callable[..., object], str]] = {
    "enable": (endpoint_writes.enable_webhook, "Endpoint enabled. It receives events from now on."),
    "disable": (endpoint_writes.disable_webhook, "Endpoint disabled. It receives no more events."),
    "test": (
        endpoint_writes.send_test,
        "Test queued. Reload the page to see the response.",
    ),
    "remove": (endpoint_writes.remove_webhook, "Endpoint removed."),
}


@require_POST
@needs(Permission.ADMINISTER)
def replay_failed(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Send all deliveries again that failed or were cancelled within some days."""
    form = ReplayForm(request.POST)
    if not form.is_valid():
        return _one(request, uid, replay_form=form)
    at = timezone.now()
    since = at - timedelta(days=form.cleaned_data["days"])
    count = delivery_writes.replay_failed(uid=uid, since=since, actor=page_actor(request), at=at)
    messages.success(request, f"{count:,} {'delivery' if count == 1 else 'deliveries'} queued.")
    return redirect("boards:webhook", uid)


@require_safe
@needs(Permission.ADMINISTER)
def delivery(request: Request, pk: int) -> HttpResponse:
    """Show a delivery: what was sent, and the response to each attempt."""
    row, attempts = queries.delivery(pk)
    context = {"section": "webhooks", "delivery": row, "attempts": attempts}
    return render(request, "delivery.html", context)


@require_POST
@needs(Permission.ADMINISTER)
def replay(request: Request, pk: int) -> HttpResponse:
    """Send a delivery again."""
    delivery_writes.replay(pk=pk, actor=page_actor(request), at=timezone.now())
    messages.success(request, "Delivery queued. Reload the page to see the response.")
    return redirect("boards:delivery", pk)
