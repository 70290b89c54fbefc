"""The pages of webhooks: endpoints, what was sent to them, and what may be done about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from boards.access.permissions import Permission
from boards.queries.facts import webhooks as queries
from boards.queries.paging.whole_number import ID_MAX, whole_number
from boards.registry.webhooks import deliveries as delivery_writes
from boards.registry.webhooks import endpoints as endpoint_writes
from boards.registry.webhooks.endpoints import OVERLAP_HOURS_MAX
from boards.views.http import Request, needs, page_actor
from obeya.errors import AlreadyExists, Conflict, InvalidInput
from obeya.records import Action
from obeya.stages import Stage
from obeya.webhooks.endpoints import (
    HEADS,
    Subscription,
    Target,
    read_target,
    subscription_of,
    words_of,
)
from obeya.webhooks.schedule import DeliveryStatus

PAGE = 50
REPLAY_DAYS = (1, 7, 30)
OVERLAP_HOURS = (0, 1, 24, 168)

# The fields that have a place for a sentence of their own.
_WITH_SENTENCE = ("name", "target", "address", "types", "models")


@dataclass(slots=True, kw_only=True)
class EndpointForm:
    """The form of an endpoint as it was typed, with a sentence for each field that cannot be."""

    name: str = ""
    target: str = Target.WEBHOOK.value
    address: str = ""
    types: list[str] = field(default_factory=list)
    models: str = ""
    stages: list[str] = field(default_factory=list)
    revision: int | None = None
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, posted: QueryDict) -> EndpointForm:
        """The form as it was sent."""
        return cls(
            name=posted.get("name", ""),
            target=posted.get("target", Target.WEBHOOK.value),
            address=posted.get("address", ""),
            types=posted.getlist("type"),
            models=posted.get("models", ""),
            stages=posted.getlist("stage"),
            revision=whole_number(posted.get("revision", "")),
        )

    @classmethod
    def of(cls, endpoint: queries.Endpoint) -> EndpointForm:
        """The form of an endpoint as it stands."""
        return cls(
            name=endpoint.row.name,
            target=endpoint.row.target,
            address=endpoint.row.address,
            types=list(endpoint.subscription.types),
            models="\n".join(endpoint.subscription.models),
            stages=[stage.value for stage in endpoint.subscription.stages],
            revision=endpoint.row.revision,
        )

    @property
    def subscription(self) -> Subscription:
        """What is asked for. Raises `InvalidInput`."""
        return subscription_of(self.types, words_of(self.models), self.stages)

    def refuse(self, error: InvalidInput | AlreadyExists | Conflict) -> int:
        """Put the sentence beside its field; the status of the answer."""
        field = getattr(error, "field", "")
        self.problems[field if field in _WITH_SENTENCE else "form"] = str(error)
        return error.http_status


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.ADMINISTER)
def webhooks(request: Request) -> HttpResponse:
    """All endpoints, and the form of a new one. The answer that made one shows its secret, once."""
    if request.method != "POST":
        return _list(request, EndpointForm())
    form = EndpointForm.read(request.POST)
    try:
        made, secret = endpoint_writes.create_webhook(
            name=form.name,
            target=read_target(form.target),
            address=form.address,
            subscription=form.subscription,
            actor=page_actor(request),
            at=timezone.now(),
        )
    except (InvalidInput, AlreadyExists) as error:
        return _list(request, form, status=form.refuse(error))
    return _list(request, EndpointForm(), made=made, secret=secret)


def _list(request: Request, form: EndpointForm, *, status: int = 200, **more: Any) -> HttpResponse:
    found = queries.endpoints(timezone.now())
    context = {"endpoints": found, **_form_context(form), **more}
    return render(request, "webhooks.html", context, status=status)


def _form_context(form: EndpointForm) -> dict[str, Any]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for action in Action:
        noun = action.value.partition(".")[0].replace("_", " ")
        noun = noun.replace("wip", "WIP").replace("api", "API")
        groups.setdefault(noun, []).append((action.value, action.sentence))
    return {
        "section": "account",
        "form": form,
        "targets": [
            (target, target is not Target.EMAIL or bool(settings.OBEYA_EMAIL_URL))
            for target in Target
        ],
        "groups": groups,
        "heads": HEADS,
        "stages": list(Stage),
        "kept_days": settings.OBEYA_WEBHOOK_DAYS,
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.ADMINISTER)
def webhook(request: Request, uid: uuid.UUID) -> HttpResponse:
    """One endpoint, with what was sent to it; a POST changes it."""
    if request.method != "POST":
        return _one(request, uid)
    form = EndpointForm.read(request.POST)
    try:
        endpoint_writes.change_webhook(
            uid=uid,
            name=form.name,
            address=form.address,
            subscription=form.subscription,
            expected_revision=form.revision,
            actor=page_actor(request),
            at=timezone.now(),
        )
    except (InvalidInput, AlreadyExists, Conflict) as error:
        return _one(request, uid, form, status=form.refuse(error))
    messages.success(request, f"The endpoint “{form.name.strip()}” is changed.")
    return redirect("boards:webhook", uid)


def _one(
    request: Request,
    uid: uuid.UUID,
    form: EndpointForm | None = None,
    *,
    status: int = 200,
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
        "replay_days": REPLAY_DAYS,
        "overlap_hours": OVERLAP_HOURS,
        **_form_context(form or EndpointForm.of(endpoint)),
    }
    return render(request, "webhook.html", context, status=status)


@never_cache
@require_POST
@needs(Permission.ADMINISTER)
def rotate_secret(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Give an endpoint a new secret; the answer shows it, once."""
    hours = whole_number(request.POST.get("overlap_hours", ""), at_most=OVERLAP_HOURS_MAX)
    _, secret = endpoint_writes.rotate_secret(
        uid=uid,
        overlap_hours=-1 if hours is None else hours,
        actor=page_actor(request),
        at=timezone.now(),
    )
    return _one(request, uid, secret=secret)


@require_POST
@needs(Permission.ADMINISTER)
def change_state(request: Request, uid: uuid.UUID, deed: str) -> HttpResponse:
    """Enable, disable, try or remove an endpoint."""
    function, sentence = _DEEDS[deed]
    function(uid=uid, actor=page_actor(request), at=timezone.now())
    messages.success(request, sentence)
    return redirect("boards:webhooks") if deed == "remove" else redirect("boards:webhook", uid)


_DEEDS: dict[str, tuple[Callable[..., object], str]] = {
    "enable": (endpoint_writes.enable_webhook, "The endpoint gets what happens from now on."),
    "disable": (endpoint_writes.disable_webhook, "The endpoint gets nothing more."),
    "test": (
        endpoint_writes.send_test,
        "A test is on its way; load the page again to see what came.",
    ),
    "remove": (endpoint_writes.remove_webhook, "The endpoint is removed."),
}


@require_POST
@needs(Permission.ADMINISTER)
def replay_failed(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Send all that failed or was cancelled within some days once more."""
    days = whole_number(request.POST.get("days", ""), at_least=1, at_most=max(REPLAY_DAYS))
    if days is None:
        raise InvalidInput("Choose within how many days.", field="days")
    at = timezone.now()
    count = delivery_writes.replay_failed(
        uid=uid, since=at - timedelta(days=days), actor=page_actor(request), at=at
    )
    messages.success(request, f"{count:,} {'delivery is' if count == 1 else 'deliveries are'} due.")
    return redirect("boards:webhook", uid)


@require_safe
@needs(Permission.ADMINISTER)
def delivery(request: Request, pk: int) -> HttpResponse:
    """A delivery: what was sent, and what came back of each attempt."""
    row, attempts = queries.delivery(pk)
    context = {"section": "account", "delivery": row, "attempts": attempts}
    return render(request, "delivery.html", context)


@require_POST
@needs(Permission.ADMINISTER)
def replay(request: Request, pk: int) -> HttpResponse:
    """Send a delivery once more."""
    delivery_writes.replay(pk=pk, actor=page_actor(request), at=timezone.now())
    messages.success(request, "The delivery is due; load the page again to see what came.")
    return redirect("boards:delivery", pk)
