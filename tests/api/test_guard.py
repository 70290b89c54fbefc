"""Access to the API: token, scopes, model globs and body size."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import ApiToken, AuditEvent, User
from boards.registry.accounts.tokens import revoke_token
from boards.registry.database import DatabaseRegistry
from obeya.tokens import new_token
from tests.api.conftest import Program, ProgramOf, problem


def test_a_request_without_a_token_is_refused(client: Client, db: None) -> None:
    answer = client.get("/api/v1/models")
    problem(answer, 401, "not_signed_in")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_browser_session_gives_no_access(client: Client, alice: User) -> None:
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    problem(client.get("/api/v1/models"), 401, "not_signed_in")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer {new}"]
)
def test_an_unknown_token_is_refused(client: Client, db: None, header: str) -> None:
    header = header.replace("{new}", new_token())
    answer = client.get("/api/v1/models", headers={"Authorization": header})
    problem(answer, 401, "not_signed_in")


def test_a_revoked_token_is_refused_at_the_next_request(api: Program) -> None:
    assert api.get("/models").status_code == 200
    revoke_token(uid=ApiToken.objects.get().uid, actor=SYSTEM, at=timezone.now())
    problem(api.get("/models"), 401, "not_signed_in")


def test_a_token_expires(api: Program) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem(api.get("/models"), 401, "not_signed_in")


def test_the_token_of_an_inactive_account_is_refused(api: Program, alice: User) -> None:
    alice.is_active = False
    alice.save()
    problem(api.get("/models"), 401, "not_signed_in")


def test_the_token_is_stored_nowhere(api: Program) -> None:
    row = ApiToken.objects.get()
    stored = " ".join(str(value) for value in vars(row).values())
    events = " ".join(AuditEvent.objects.values_list("canonical_text", flat=True))
    assert api.token not in stored + events
    assert api.token.startswith(row.shown)


def test_the_last_use_of_a_token_is_stored_once_a_minute(api: Program) -> None:
    api.get("/models")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    api.get("/models")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    api.get("/models")
    assert ApiToken.objects.get().last_used_at > first


@pytest.mark.parametrize(
    ("scopes", "method", "path", "body", "allowed"),
    [
        (["read"], "GET", "/models", None, True),
        (["read"], "POST", "/models/m/versions", {}, False),
        (["write"], "POST", "/models/m/versions", {}, True),
        (["write"], "POST", "/models/m/versions/1/transitions", {"to_stage": "staging"}, True),
        (["write"], "POST", "/models/m/versions/2/transitions", {"to_stage": "production"}, False),
        (["promote"], "POST", "/models/m/versions/2/transitions", {"to_stage": "production"}, True),
        (["write"], "DELETE", "/models/m", None, False),
        (["admin"], "DELETE", "/models/m", None, True),
        (["write", "promote"], "PUT", "/policies/staging", {}, False),
        (["admin"], "PUT", "/policies/staging", {}, True),
        (["admin"], "POST", "/tokens", {"name": "more", "scopes": ["read"]}, True),
        (["promote"], "POST", "/tokens", {"name": "more", "scopes": ["read"]}, False),
    ],
)
def test_a_token_is_limited_to_its_scopes(
    alice: User,
    registry: DatabaseRegistry,
    program_of: ProgramOf,
    scopes: list[str],
    method: str,
    path: str,
    body: object,
    allowed: bool,
) -> None:
    registry.register_model("m")
    registry.register_model("m")
    registry.transition_stage("m", 2, "staging")
    answer = program_of(alice, scopes).send(method, path, body)
    if allowed:
        assert answer.status_code < 300, answer.content
    else:
        assert "scope" in problem(answer, 403, "not_allowed")["detail"]


def test_a_token_is_limited_to_the_permissions_of_its_account(
    victor: User, program_of: ProgramOf
) -> None:
    program = program_of(victor, ["read"])
    ApiToken.objects.update(scopes=["read", "write", "promote", "approve", "admin"])
    answer = program.post("/models/m/versions")
    assert problem(answer, 403, "not_allowed")["permission"] == "register"


def test_a_token_is_limited_to_its_models(
    alice: User, registry: DatabaseRegistry, program_of: ProgramOf
) -> None:
    for name in ("resnet50", "resnet101", "bert"):
        registry.register_model(name)
    program = program_of(alice, models=["resnet*"])
    assert [m["name"] for m in program.get("/models").json()["items"]] == ["resnet101", "resnet50"]
    assert program.get("/models/resnet50").status_code == 200
    assert program.get("/models/resnet50/versions/1").status_code == 200
    for method, path, body in (
        ("GET", "/models/bert", None),
        ("GET", "/models/bert/versions/1", None),
        ("GET", "/models/bert/transitions", None),
        ("GET", "/comparisons?v=resnet50:1&v=bert:1", None),
        ("POST", "/models/bert/versions", {}),
        ("POST", "/versions", {"versions": [{"model": "resnet50"}, {"model": "bert"}]}),
        ("PATCH", "/models/resnet50", {"name": "bert2"}),
        ("PUT", "/policies/staging", {}),
        ("POST", "/tokens", {"name": "more", "scopes": ["read"]}),
    ):
        problem(program.send(method, path, body), 403, "not_allowed")
    events = program.get("/audit/events").json()["items"]
    assert {event["not_hashed"]["model"] for event in events} == {"resnet50", "resnet101"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/models", 405, "method_not_allowed"),
        ("GET", "/models/none", 404, "not_found"),
        ("GET", "/models/none/versions/1", 404, "not_found"),
        ("GET", "/models/m/versions/abc", 400, "invalid_input"),
        ("GET", "/models/m/versions/0", 400, "invalid_input"),
        ("GET", "/models?limit=0", 400, "invalid_input"),
        ("GET", "/models?cursor=nonsense", 400, "invalid_input"),
        ("GET", "/checks/abc", 400, "invalid_input"),
    ],
)
def test_every_error_is_a_problem(
    api: Program, method: str, path: str, status: int, code: str
) -> None:
    problem(api.send(method, path), status, code)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "JSON object"),
        (b'{"metrics": {"a": NaN}}', "NaN"),
        (b'{"label": "a", "label": "b"}', "Duplicate member “label”"),
        (b'{"labell": "a"}', "labell"),
        (b'{"metrics": {"a": "0.9"}}', "metrics.a: must be a number or an object with `value`."),
        (b'{"metrics": {"a": {"value": "x"}}}', "metrics.a.value: input should be a valid number."),
        (b'{"metrics": {"a": {}}}', "metrics.a.value: field required."),
        (b'{"metrics": {"a": true}}', "metrics.a: input should be a valid number."),
        (b'{"metrics": {"a": 1e999}}', "finite"),
        (b'{"version": 1.5}', "version"),
        (b'{"version": true}', "version"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "nested"),
        (b'{"version": ' + b"9" * 5_000 + b"}", "digits"),
    ],
)
def test_an_invalid_body_is_explained_and_changes_nothing(
    api: Program, body: bytes, says: str
) -> None:
    before = AuditEvent.objects.count()
    answer = api.send("POST", "/models/m/versions", body)
    assert says in problem(answer, 400, "invalid_input")["detail"]
    assert AuditEvent.objects.count() == before


def test_a_large_body_is_read(api: Program) -> None:
    tags = {f"tag {n}": "x" * 5_000 for n in range(800)}
    answer = api.send("POST", "/models/m/versions", {"tags": tags})
    assert answer.status_code == 201, answer.content


def test_a_huge_body_is_refused_before_it_is_read(api: Program) -> None:
    answer = api.send("POST", "/models/m/versions", b" " * (16 * 1024 * 1024 + 1))
    problem(answer, 413, "too_large")


def test_a_service_account_gets_the_scope_approve_only_if_it_is_allowed(
    api: Program, alice: User
) -> None:
    """Tokens from before this rule keep working."""
    User.objects.filter(pk=alice.pk).update(is_service=True)
    wanted = {"name": "Reviews", "scopes": ["read", "approve"]}
    refused = problem(api.post("/tokens", wanted), 400, "invalid_input")
    assert refused["field"] == "scopes"
    assert "allow_service_approval" in refused["detail"]
    made = api.post("/tokens", {**wanted, "allow_service_approval": True})
    assert made.json()["scopes"] == ["approve", "read"]


def test_me_describes_the_account_of_the_token(api: Program) -> None:
    me = api.get("/me").json()
    assert me["account"] == "alice"
    assert me["token"]["scopes"] == ["admin", "approve", "promote", "read", "write"]
    assert "promote" in me["permissions"]
    assert "token" not in me["token"]
