"""A small registry that has what the routes need, and an address for every route.

For the tests that walk all routes. `tests/full_registry.py` has the whole history of a registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.artifacts.run_files import store_run_file
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

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# Hebrew names, so that the direction of text is checked too.
MODEL, METRIC, LIVE, KEY = "מודל", "דיוק", "שגיאות", "מפתח"
ALIAS, GOVERNED = "טוב", "הבא"
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


def fill_registry() -> str:
    """Fill a registry for all routes; return an administrator's token with every scope."""
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
        registry.set_governed_alias(GovernedAlias(GOVERNED, Stage.STAGING), name)
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
    store_run_file(path="run/a.bin", body=BytesIO(b"run"), size=3, actor=actor, at=at)
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
    """Yield the route of every view: the patterns from the root, as they are written."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
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
        "sha256": models.Blob.objects.earliest("pk").sha256,
        "metric": LIVE,
        "uid": str(thing._default_manager.latest("pk").uid),
        "chain": str(event.model.uid),
        "sequence": str(event.sequence),
        "form": "csv",
        "token": "expired",
        "pk": delivery,
        "delivery": delivery,
    }


def address_of(route: str) -> str:
    """Return an address of the route that exists, with the query that it needs."""
    values = values_for(route)
    query = QUERIES.get(route, "")
    path = PARAMETER.sub(lambda part: values[part[1]], route)
    return f"/{path}?{query}" if query else f"/{path}"
