"""Every page, every readable API path and every admin list opens.

This runs on both engines, so that it finds a query that only one of them accepts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from boards.registry.webhooks.endpoints import create_webhook
from obeya import Comparison, PromotionPolicy, Stage
from obeya.aliases.governed import GovernedAlias
from obeya.artifacts.manifest import FileEntry
from obeya.metrics import MetricDefinition
from obeya.records import Channel
from obeya.tokens import Scope
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import WipLimit
from obeya.webhooks.endpoints import Subscription, Target
from tests.accessible_names import wrongly_named
from tests.offenders import every_case
from tests.text_direction import not_isolated

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# 204 means that a blob is stored; 405 is a path that only accepts a form.
OPEN = {200, 204, 302, 405}
# Their responses are never stored: a secret is on the page or in its URL, or it is not a page.
NEVER_STORED = {
    "sign-in/",
    "sign-in/once/<str:token>/",
    "settings/webhooks/<uuid:uid>/",
    "models/<str:name>/versions/<int:number>/artifact/pieces/",
    "livez",
    "readyz",
}
# Hebrew names, so that the direction of text is checked too.
MODEL, METRIC, LIVE, KEY, ALIAS = "מודל", "דיוק", "שגיאות", "מפתח", "טוב"
# These need more than the path.
QUERIES = {
    "models/<str:name>/versions/<int:number>/artifact/pieces/": "path=a.bin&size=7&modified=1",
    "metrics/define/": f"name={METRIC}",
    "models/<str:name>/compare/": "a=1&b=2",
    "api/v1/models/<name>/versions/<version>/judgement": "to_stage=archived",
    "compare.csv": f"v={MODEL}:1&v={MODEL}:2",
    "api/v1/comparisons": f"v={MODEL}:1&v={MODEL}:2",
    "api/v1/models/<name>/comparison": "a=1&b=2",
}


@pytest.fixture
def token() -> str:
    """Fill a registry with one of everything; return an administrator's token with every scope."""
    at = timezone.now()
    create_user(username="ada", group="administrator", actor=SYSTEM, at=at)
    reviewer = create_user(username="רוזה", group="administrator", actor=SYSTEM, at=at)
    ada = models.User.objects.get(username="ada")
    actor = Actor(ada, Channel.PAGE)
    registry = DatabaseRegistry(actor=ada)
    registry.register_model(
        MODEL, 1, {METRIC: 0.8}, label="תווית", tags={KEY: "ערך"}, description="טקסט"
    )
    registry.register_model(MODEL, 2, {METRIC: 0.9})
    registry.set_tag(MODEL, KEY, "ערך")
    registry.set_alias(MODEL, ALIAS, 1)
    content = store_blob(body=BytesIO(b"content"), size=7, actor=actor, at=at).sha256
    set_artifact(name=MODEL, version=1, files=[FileEntry("a.bin", content)], actor=actor, at=at)
    policy = PromotionPolicy(Stage.STAGING).require_metric(METRIC, Comparison.GTE, 0.85)
    for name in (None, MODEL):
        registry.set_policy(policy, name)
        registry.set_wip_limit(WipLimit(Stage.STAGING, 5), name)
        registry.set_governed_alias(GovernedAlias("הבא", Stage.STAGING), name)
    expires_at = at + timedelta(days=1)
    registry.waive(MODEL, 1, [f"{METRIC} ≥ 0.85"], reason="ידוע", expires_at=expires_at)
    for number in (1, 2):
        registry.transition_stage(MODEL, number, Stage.STAGING)
        registry.transition_stage(MODEL, number, Stage.PRODUCTION)
    registry.set_guardrail(MODEL, Guardrail(LIVE, Comparison.LTE, 0.1))
    registry.report_live_metric(MODEL, LIVE, 0.2)
    registry.register_model(MODEL, 3, {METRIC: 0.7})
    registry.request_transition(MODEL, 3)
    DatabaseRegistry(actor=reviewer).approve(MODEL, 3)
    define_metric(definition=MetricDefinition(METRIC), actor=actor, at=at)
    create_webhook(
        name="צינור",
        target=Target.WEBHOOK,
        address="https://ci.example.org/",
        subscription=Subscription(),
        actor=actor,
        at=at,
    )
    _, token = create_token(user=ada, name="הכול", scopes=list(Scope), actor=actor, at=at)
    return token


def routes(
    patterns: list[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        # The admin has a separate test below, the MLflow protocol separate tests.
        elif not re.match(r"admin/|\^|api/[23]\.0/|api/v1/(\^|$)", route):
            yield route


def values_for(route: str) -> dict[str, str]:
    """Return a value for each parameter that a path can have."""
    event = models.AuditEvent.objects.filter(action="model_version.stage_transitioned").latest("pk")
    things = {
        "checks/": models.PolicyCheck,
        "requests/": models.TransitionRequest,
        "waivers/": models.Waiver,
        "webhooks/": models.Webhook,
        "tokens/": models.ApiToken,
    }
    thing = next((things[part] for part in things if part in route), models.PolicyCheck)
    delivery = str(models.Delivery.objects.latest("pk").pk)
    return {
        "name": MODEL,
        "number": "1",
        "version": "1",
        "stage": "staging",
        "path": "a.bin",
        "file": "openapi.json",
        "page": "settings",
        "key": KEY,
        "alias": ALIAS,
        "sha256": models.Blob.objects.get().sha256,
        "metric": LIVE,
        "uid": str(thing._default_manager.latest("pk").uid),
        "chain": str(event.model.uid),
        "sequence": str(event.sequence),
        "form": "csv",
        "token": "expired",
        "pk": delivery,
        "delivery": delivery,
    }


def test_every_page_and_every_readable_address_of_the_api_opens(token: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(
        models.User.objects.get(username="ada"), "django.contrib.auth.backends.ModelBackend"
    )
    found = list(routes())
    assert len(found) > 100
    statuses: Counter[int] = Counter()
    with every_case() as case:
        for route in found:
            values = values_for(route)
            path = PARAMETER.sub(lambda part: values[part[1]], route)  # noqa: B023 - used here
            headers = {"Authorization": f"Bearer {token}"} if route.startswith("api/") else {}
            with case(route):
                answer = client.get(f"/{path}?{QUERIES.get(route, '')}", headers=headers)
                if "<str:token>" not in route:  # An expired link has a separate page.
                    assert answer.status_code in OPEN
                assert "/sign-in/" not in answer.headers.get("Location", "")
                statuses[answer.status_code] += 1
                is_stored = "no-store" not in answer.headers["Cache-Control"]
                assert is_stored == (route not in NEVER_STORED)
                if answer.status_code == 200:
                    assert answer.getvalue()
                    if answer.headers["Content-Type"].startswith("text/html"):
                        assert wrongly_named(answer.getvalue().decode()) == []
                        assert not_isolated(answer.getvalue().decode()) == []
    # Paths that only accept a form are the exception.
    assert statuses[200] > 2 * statuses[302] + statuses[405]


def test_every_list_of_the_admin_opens_and_so_does_its_newest_row(token: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(
        models.User.objects.get(username="ada"), "django.contrib.auth.backends.ModelBackend"
    )
    models.User.objects.filter(username="ada").update(is_superuser=True, is_staff=True)
    with every_case() as case:
        for model in admin.site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            with case(name):
                answer = client.get(reverse(f"{name}_changelist") + f"?q={MODEL}")
                assert answer.status_code == 200
                assert answer.headers["Cache-Control"] == "private, no-cache"
                if row := model._default_manager.order_by("-pk").first():
                    page = reverse(f"{name}_change", args=[row.pk])
                    assert client.get(page).status_code == 200
