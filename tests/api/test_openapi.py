"""The OpenAPI document, as published and as shown on the reference page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from boards.api.openapi import CACHED, CONDITIONAL, SUMMARIES, operations
from scripts.write_openapi import OUTPUT, openapi_text
from tests.api.conftest import Program

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document() -> Any:
    """Return the committed OpenAPI document."""
    return json.loads(OUTPUT.read_text("utf-8"))


def test_the_committed_document_matches_the_code() -> None:
    assert OUTPUT.read_text("utf-8") == openapi_text(), "It has drifted: run `make openapi`."


def test_the_server_publishes_the_document_without_sign_in(client: Client, document: Any) -> None:
    assert client.get("/api/v1/openapi.json").json() == document


def test_it_is_openapi_3_1_and_describes_every_operation(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    named = {operation["operationId"] for _, operation in operations(document)}
    assert named >= CACHED | CONDITIONAL | SUMMARIES.keys()
    for _, operation in operations(document):
        assert operation["description"]
        assert "4XX" in operation["responses"]


def test_the_index_links_to_the_documentation(api: Program, client: Client) -> None:
    index = api.get("/").json()
    assert index["version"]
    for member in ("documentation", "openapi"):
        assert client.get(index[member]).status_code == 200
    assert client.get("/api/v1/").status_code == 401


def test_every_post_takes_an_idempotency_key(document: Any) -> None:
    for method, operation in operations(document):
        keys = [p for p in operation["parameters"] if p["name"] == "Idempotency-Key"]
        assert len(keys) == (method == "post")


def test_documented_preconditions_are_enforced(api: Program, document: Any) -> None:
    """Each write with If-Match in the document refuses a revision that is not current."""
    api.post("/models/resnet50/versions", {"metrics": {"accuracy": 0.9}})
    api.put("/models/resnet50/aliases/best", {"version": 1})
    for place in ("", "/versions/1"):
        api.put(f"/models/resnet50{place}/tags/family", {"value": "resnet"})
    for address in ("/policies/production", "/models/resnet50/policies/production"):
        api.put(address, {"requirements": []})
    hook = {"name": "ci", "address": "https://ci.example.org/"}
    uid = api.post("/webhooks", hook).json()["id"]
    bodies: dict[str, Any] = {
        "change_webhook": {**hook, "name": "deploy"},
        "change_model": {"description": "Text."},
        "change_version": {"description": "Text."},
        "log_metrics": {"metrics": {"accuracy": 0.5}},
        "set_alias": {"version": 1},
        "set_model_policy": {"requirements": [], "required_approvals": 1},
        "set_site_policy": {"requirements": [], "required_approvals": 1},
        "set_artifact": {"files": [{"path": "a", "sha256": "a" * 64}]},
        "set_model_tag": {"value": "x"},
        "set_version_tag": {"value": "x"},
        "transition_version": {"to_stage": "staging"},
    }
    tried = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            if name not in CONDITIONAL:
                continue
            address = path.removeprefix("/api/v1").format(
                name="resnet50", version=1, key="family", alias="best", stage="production", uid=uid
            )
            answer = api.send(method.upper(), address, bodies.get(name), If_Match='"4711"')
            assert answer.status_code == 412, (name, answer.content)
            tried.add(name)
    assert tried == CONDITIONAL
