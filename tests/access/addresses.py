"""An address for every route, and a body for every write."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

from django.apps import apps

from tests.every_route import ALIAS, GOVERNED, KEY, LIVE, METRIC, MODEL, address_of, routes

RUN_FILES = "api/2.0/mlflow-artifacts/^artifacts/(?P<path>(?s:.+))$"

# Routes that are regular expressions.
_REGEXES = {
    "api/v1/^(?P<rest>.*)$": "/api/v1/nothing-here",
    RUN_FILES: "/api/2.0/mlflow-artifacts/artifacts/run/a.bin",
    "api/2.0/mlflow-artifacts/^(?:mpu|presigned)/(?s:.*)$": (
        "/api/2.0/mlflow-artifacts/mpu/create/a"
    ),
    "^(?:ajax-)?api/[23]\\.0/": "/api/2.0/nothing-here",
    "admin/^(?P<app_label>auth|boards)/$": "/admin/boards/",
    "admin/(?P<url>.*)$": "/admin/nothing-here",
}
# What the JSON API needs in a body, so that a request is not refused before its permission is
# checked. Other writes need nothing.
BODIES: dict[str, Any] = {
    "PUT api/v1/models/<name>/tags/<path:key>": {"value": "v"},
    "PUT api/v1/models/<name>/aliases/<alias>": {"version": 1},
    "POST api/v1/versions": {"versions": [{"model": MODEL}]},
    "PATCH api/v1/models/<name>": {"description": "x"},
    "PATCH api/v1/models/<name>/versions/<version>": {"description": "x"},
    "POST api/v1/models/<name>/versions/<version>/metrics": {"metrics": {"f1": 1}},
    "PUT api/v1/models/<name>/versions/<version>/tags/<path:key>": {"value": "v"},
    "PUT api/v1/models/<name>/versions/<version>/artifact": {
        "files": [{"path": "a", "sha256": "0" * 64}]
    },
    "POST api/v1/models/<name>/versions/<version>/policy-result": {"policy": {}},
    "POST api/v1/models/<name>/versions/<version>/transitions": {"to_stage": "archived"},
    "POST api/v1/models/<name>/rollbacks": {"reason": "x"},
    "POST api/v1/models/<name>/versions/<version>/reviews": {"decision": "approve"},
    "POST api/v1/models/<name>/versions/<version>/waivers": {
        "requirements": [f"{METRIC} ≥ 0.85"],
        "reason": "x",
        "expires_at": "2030-01-31T12:00:00+00:00",
    },
    "POST api/v1/policy-simulations": {"policy": {"stage": "staging"}},
    "PUT api/v1/models/<name>/guardrails/<path:metric>": {"comparison": "<=", "bound": 1},
    "POST api/v1/models/<name>/live-values": {"metric": LIVE, "value": 1},
    "PUT api/v1/wip-limits/<stage>": {"limit": 3},
    "PUT api/v1/models/<name>/wip-limits/<stage>": {"limit": 3},
    "POST api/v1/imports": {"model": "n", "created_at": "2026-01-31T12:00:00+00:00"},
    "POST api/v1/webhooks": {"name": "n", "address": "https://ci.example.org/n"},
    "PUT api/v1/webhooks/<uid>": {"name": "n", "address": "https://ci.example.org/n"},
    "POST api/v1/tokens": {"name": "n", "scopes": ["read"]},
}
# What forms need to get as far as the permission.
FORMS = {
    "POST models/<str:name>/versions/<int:number>/transition/": {"to_stage": "staging"},
    "POST models/<str:name>/versions/<int:number>/request/": {"reason": "x"},
    "POST models/<str:name>/guardrails/remove/": {"metric": LIVE},
    "POST requests/<uuid:uid>/review/": {"decision": "approve"},
}
# v1 is in Production and has files. v3 is in Development, with an open request.
_OF_V3 = re.compile(
    r"/versions/<[^>]+>/"
    r"(transitions|requests|reviews|withdrawals|waivers|checks|transition/|request/|check/|waive/)\Z"
)
# The protocol ignores unknown fields, so that one body serves all its endpoints.
_MLFLOW = {
    "name": MODEL,
    "version": "3",
    "key": KEY,
    "value": "v",
    "alias": ALIAS,
    "new_name": "n",
    "stage": "Archived",
    "source": "s3://models/m",
}


def addresses() -> dict[str, str]:
    """Return an address that exists for each route."""
    found = {}
    for route in dict.fromkeys(routes()):
        if route in _REGEXES:
            found[route] = _REGEXES[route]
        elif route.startswith("admin/"):
            found[route] = _admin_address(route)
        elif route.startswith("api/2.0/mlflow/"):
            found[route] = f"/{route}?name={MODEL}&version=1&alias={ALIAS}"
        else:
            found[route] = address_of(route)
        if _OF_V3.search(route):
            found[route] = found[route].replace("/versions/1/", "/versions/3/")
        elif "governed-aliases/<alias>" in route:
            found[route] = found[route].replace(f"/{ALIAS}", f"/{GOVERNED}")
    return found


def _admin_address(route: str) -> str:
    _, label, name, *_ = [*route.split("/"), "", ""]
    pk = "1"
    if "<" in route and label in ("auth", "boards"):
        newest = apps.get_model(label, name)._default_manager.order_by("-pk").first()
        pk = str(newest.pk) if newest else "1"
    for parameter in ("<path:object_id>", "<id>"):
        route = route.replace(parameter, pk)
    return f"/{route}"


def request_of(method: str, route: str) -> tuple[str, str]:
    """Return the body and the content type of a request."""
    if method == "GET" or not route.startswith("api/"):
        body = urlencode(FORMS.get(f"{method} {route}", {}))
        return body, "application/x-www-form-urlencoded"
    if route.startswith("api/v1/blobs"):
        return "content", "application/octet-stream"
    if route.startswith("api/2.0/mlflow-artifacts"):
        return "content", "text/plain"
    fields = _MLFLOW if route.startswith("api/2.0/") else BODIES.get(f"{method} {route}", {})
    return json.dumps(fields), "application/json"
