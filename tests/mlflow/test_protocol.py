"""The MLflow protocol at the HTTP level, with many requests that no real client sends."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, ModelVersion, RegisteredModel, User
from boards.registry.accounts.tokens import create_token, revoke_token
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.aliases.governed import AliasMode, GovernedAlias
from obeya.tokens import Scope
from tests.views.page_text import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

Call = Callable[..., Any]
BACKEND = "django.contrib.auth.backends.ModelBackend"


def send(method: str, path: str, given: Any = None, **headers: str) -> Any:
    """Send one request as MLflow's clients do."""
    client, address = Client(), f"/api/2.0/mlflow/{path}"
    if method == "GET":
        return client.get(address, given or {}, headers=headers)
    body = given if isinstance(given, str | bytes) else json.dumps(given or {})
    kind = headers.pop("content_type", "application/json")
    return client.generic(method, address, body, content_type=kind, headers=headers)


@pytest.fixture
def alice(db: None) -> User:
    return create_user(username="alice", group="administrator", actor=SYSTEM, at=timezone.now())


@pytest.fixture
def token_of(alice: User) -> Callable[..., str]:
    def make(*scopes: Scope, models: tuple[str, ...] = ()) -> str:
        return create_token(
            user=alice,
            name="a test",
            scopes=scopes or tuple(Scope),
            model_globs=models,
            actor=SYSTEM,
            at=timezone.now(),
        )[1]

    return make


@pytest.fixture
def call(token_of: Callable[..., str]) -> Call:
    token = token_of()

    def with_token(method: str, path: str, given: Any = None, **headers: str) -> Any:
        return send(method, path, given, **{"Authorization": f"Bearer {token}"} | headers)

    return with_token


@pytest.fixture
def churn(alice: User) -> DatabaseRegistry:
    registry = DatabaseRegistry(actor=alice)
    registry.register_model("churn", metrics={"auc": 0.9}, artifact_path="s3://bucket/1")
    return registry


def refused(answer: Any, code: str, status: int, text: str = "") -> str:
    assert answer["Content-Type"] == "application/json"
    document = answer.json()
    assert (answer.status_code, document["error_code"]) == (status, code), document
    assert text in document["message"]
    return str(document["message"])


# --- Authentication -------------------------------------------------------------------------------


def test_a_request_without_a_token_is_refused(churn: DatabaseRegistry) -> None:
    for method, path in (
        ("GET", "registered-models/search"),
        ("GET", "registered-models/get"),
        ("POST", "model-versions/create"),
        ("DELETE", "registered-models/delete"),
    ):
        refused(send(method, path, {"name": "churn"}), "UNAUTHENTICATED", 401, "TRACKING_TOKEN")
    assert RegisteredModel.objects.get().deleted_at is None


def test_a_token_works_as_bearer_and_as_a_password(
    churn: DatabaseRegistry, token_of: Callable[..., str]
) -> None:
    token = token_of(Scope.READ)
    basic = base64.b64encode(f"alice:{token}".encode()).decode()
    for header in (f"Bearer {token}", f"bearer {token}", f"Basic {basic}"):
        found = send("GET", "registered-models/search", Authorization=header)
        assert [model["name"] for model in found.json()["registered_models"]] == ["churn"]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer obeya_nonsense",
        "Bearer ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"alice:a long enough password").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Digest x",
    ],
)
def test_an_invalid_token_is_refused(header: str, alice: User) -> None:
    alice.set_password("a long enough password")
    alice.save()
    answer = send("GET", "registered-models/search", Authorization=header)
    refused(answer, "UNAUTHENTICATED", 401)
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_a_revoked_token_is_refused(alice: User) -> None:
    row, token = create_token(
        user=alice, name="t", scopes=[Scope.READ], actor=SYSTEM, at=timezone.now()
    )
    revoke_token(uid=row.uid, actor=SYSTEM, at=timezone.now())
    answer = send("GET", "registered-models/search", Authorization=f"Bearer {token}")
    refused(answer, "UNAUTHENTICATED", 401)


def test_a_browser_session_gives_no_access(alice: User, churn: DatabaseRegistry) -> None:
    browser = Client()
    browser.force_login(alice, BACKEND)
    answer = browser.get("/api/2.0/mlflow/registered-models/search")
    refused(answer, "UNAUTHENTICATED", 401)


def test_a_token_is_limited_to_its_scopes_and_models(
    churn: DatabaseRegistry, token_of: Callable[..., str]
) -> None:
    churn.register_model("fraud")
    reader = {"Authorization": f"Bearer {token_of(Scope.READ, models=('churn',))}"}
    refused(
        send("POST", "registered-models/create", {"name": "new"}, **reader),
        "PERMISSION_DENIED",
        403,
        "write",
    )
    refused(
        send("GET", "registered-models/get", {"name": "fraud"}, **reader), "PERMISSION_DENIED", 403
    )
    found = send("GET", "registered-models/search", **reader).json()["registered_models"]
    assert [model["name"] for model in found] == ["churn"]
    versions = send("GET", "model-versions/search", **reader).json()["model_versions"]
    assert {version["name"] for version in versions} == {"churn"}
    writer = {"Authorization": f"Bearer {token_of(Scope.WRITE, models=('churn-2',))}"}
    copied = {"name": "churn-2", "source": "models:/fraud/1"}
    send("POST", "registered-models/create", {"name": "churn-2"}, **writer)
    refused(send("POST", "model-versions/create", copied, **writer), "INVALID_PARAMETER_VALUE", 400)


def test_reading_without_a_token_can_be_enabled(
    settings: Any, churn: DatabaseRegistry, client: Client, alice: User
) -> None:
    settings.OBEYA_ANONYMOUS = "read"
    assert send("GET", "registered-models/get", {"name": "churn"}).status_code == 200
    refused(send("POST", "registered-models/create", {"name": "n"}), "PERMISSION_DENIED", 403)
    refused(
        send("GET", "registered-models/search", Authorization="Bearer x"), "UNAUTHENTICATED", 401
    )
    client.force_login(alice, BACKEND)
    page = text_of(client.get(reverse("boards:board")))
    assert "No token required" in page
    assert "read everything" in page


def test_writing_without_a_token_can_be_enabled(
    settings: Any, churn: DatabaseRegistry, client: Client, alice: User
) -> None:
    settings.OBEYA_ANONYMOUS = "write"
    made = send("POST", "model-versions/create", {"name": "churn", "source": "s3://b/2"})
    assert made.json()["model_version"]["version"] == "2"
    move = {"name": "churn", "version": "2", "stage": "Staging"}
    assert send("POST", "model-versions/transition-stage", move).status_code == 200
    refused(send("DELETE", "registered-models/delete", {"name": "churn"}), "PERMISSION_DENIED", 403)
    refused(
        send("POST", "registered-models/create", {"name": "x"}, content_type="text/plain"),
        "INVALID_PARAMETER_VALUE",
        400,
        "Content-Type",
    )
    events = AuditEvent.objects.filter(version__number=2)
    assert set(events.values_list("actor__username", "channel")) == {("anonymous", "mlflow")}
    client.force_login(alice, BACKEND)
    page = text_of(client.get(reverse("boards:board")))
    assert "register, change and move versions" in page


def test_no_page_warns_if_a_token_is_required(client: Client, alice: User) -> None:
    client.force_login(alice, BACKEND)
    assert "No token required" not in client.get(reverse("boards:board")).content.decode()


# --- Requests at startup --------------------------------------------------------------------------


def test_startup_requests_of_clients_are_answered(client: Client, db: None) -> None:
    assert client.get("/health").content == b"OK"
    assert client.get("/version").content == b"3.17.2"
    info = client.get("/api/3.0/mlflow/server-info").json()
    assert info == {"store_type": "SqlStore", "workspaces_enabled": False}


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/experiments/search",
        "/api/2.0/mlflow/registered-models/list",
        "/api/2.0/mlflow/registered-models/get/",
        "/api/3.0/mlflow/traces",
        "/api/2.0/mlflow/",
        "/ajax-api/2.0/mlflow/runs/get",
    ],
)
def test_an_unknown_endpoint_is_reported(path: str, client: Client, db: None) -> None:
    for method in (client.get, client.post):
        answer = method(path)
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_method_that_an_endpoint_does_not_have_is_named(call: Call) -> None:
    answer = call("DELETE", "registered-models/get", {"name": "churn"})
    assert refused(answer, "BAD_REQUEST", 405).endswith("Use GET.")
    assert answer["Allow"] == "GET"


# --- Request and response formats -----------------------------------------------------------------


def test_whole_numbers_are_texts_and_times_milliseconds(
    call: Call, churn: DatabaseRegistry
) -> None:
    version = call("GET", "model-versions/get", {"name": "churn", "version": "1"}).json()
    version = version["model_version"]
    row = ModelVersion.objects.get()
    assert version["creation_timestamp"] == str(int(row.created_at.timestamp() * 1_000))
    assert version["version"] == "1"
    assert version["current_stage"] == "None"
    assert version["user_id"] == "alice"
    model = call("GET", "registered-models/get", {"name": "churn"}).json()["registered_model"]
    assert isinstance(model["last_updated_timestamp"], str)
    assert [v["version"] for v in model["latest_versions"]] == ["1"]


def test_a_get_request_can_have_its_parameters_in_the_body(
    churn: DatabaseRegistry, token_of: Callable[..., str]
) -> None:
    answer = Client().generic(
        "GET",
        "/api/2.0/mlflow/model-versions/get",
        json.dumps({"name": "churn", "version": 1}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token_of()}"},
    )
    assert answer.json()["model_version"]["name"] == "churn"


def test_unknown_fields_are_ignored(call: Call) -> None:
    given = {"name": "churn", "deployment_job_id": "7", "colour": {"deep": [1]}}
    assert call("POST", "registered-models/create", given).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"name": 5},
        {"name": ["churn"]},
        {"name": None},
        {},
        {"name": "new", "tags": "a"},
        {"name": "new", "tags": ["a"]},
        {"name": "new", "tags": [{"key": 1, "value": "v"}]},
        {"name": "new", "tags": [{"value": "v"}]},
        {"name": "new", "tags": [{"key": "k", "value": 1}]},
        {"name": "new", "tags": [{"key": "k" * 251, "value": "v"}]},
        {"name": "new", "tags": [{"key": "k", "value": "v" * 100_001}]},
        {"name": "new", "description": 3},
        {"name": "n" * 257},
        {"name": "a/b"},
        {"name": "a:b"},
        {"name": "a\u0000b"},
        {"name": "a\nb"},
        {"name": "\ud800"},
    ],
)
def test_an_invalid_model_leaves_nothing(given: dict[str, Any], call: Call) -> None:
    refused(call("POST", "registered-models/create", given), "INVALID_PARAMETER_VALUE", 400)
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize(
    "body", ["{", "[1]", '"text"', "NaN", '{"name": "a", "name": "b"}', b"\xff"]
)
def test_a_body_that_is_not_a_json_object_is_refused(body: str | bytes, call: Call) -> None:
    refused(call("POST", "registered-models/create", body), "INVALID_PARAMETER_VALUE", 400)
    assert not RegisteredModel.objects.exists()


def test_a_body_that_is_too_large_is_refused(call: Call) -> None:
    body = json.dumps({"name": "new", "description": "x" * 16 * 1024 * 1024})
    refused(call("POST", "registered-models/create", body), "BAD_REQUEST", 413)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"source": ""},
        {"source": 7},
        {"source": "s3://b", "tags": [{"key": "metrics.auc", "value": "NaN"}]},
        {"source": "s3://b", "tags": [{"key": "metrics.auc", "value": "inf"}]},
        {"source": "s3://b", "tags": [{"key": "metrics.auc", "value": "good"}]},
        {"source": "s3://" + "b" * 2_048},
        {"source": "s3://b", "run_id": "r" * 251},
        {"source": "s3://b", "description": "d" * 100_001},
        {"source": "models:/nobody/1"},
        {"source": "models:/churn/99"},
        {"source": "models:/churn@nobody"},
        {"source": "models:/churn/Nowhere"},
    ],
)
def test_an_invalid_version_leaves_nothing(
    given: dict[str, Any], call: Call, churn: DatabaseRegistry
) -> None:
    # The first use of the token is an event.
    call("GET", "registered-models/search")
    before = AuditEvent.objects.count()
    answer = call("POST", "model-versions/create", {"name": "churn"} | given)
    refused(answer, "INVALID_PARAMETER_VALUE", 400)
    assert (ModelVersion.objects.count(), AuditEvent.objects.count()) == (1, before)


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "../../etc/passwd",
        "dbfs:/a/../../b",
        "http://127.0.0.1:1/..%2f..%2fsecret",
        "mlflow-artifacts:/%252e%252e/x",
        "models:/m-0123456789abcdef",
        "runs:/0123/model",
        "ftp://host/ä模型 #fragment;x?y=z",
        "\\\\server\\share",
    ],
)
def test_a_source_is_stored_as_text_and_never_opened(
    source: str, call: Call, churn: DatabaseRegistry
) -> None:
    made = call("POST", "model-versions/create", {"name": "churn", "source": source}).json()
    assert made["model_version"]["source"] == source
    asked = {"name": "churn", "version": made["model_version"]["version"]}
    assert call("GET", "model-versions/get-download-uri", asked).json() == {"artifact_uri": source}


def test_a_version_created_from_another_keeps_the_file_location(
    call: Call, churn: DatabaseRegistry
) -> None:
    digest = "sha256:" + "ab" * 32
    churn.register_model("churn", artifact_path="s3://bucket/2", artifact_digest=digest)
    churn.set_alias("churn", "best", 2)
    for source in ("models:/churn/2", "models:/churn@best", "models:/churn/latest"):
        given = {"name": "copies", "source": source}
        call("POST", "registered-models/create", {"name": "copies"})
        made = call("POST", "model-versions/create", given).json()["model_version"]
        assert made["source"] == source
        copy = churn.get_version("copies", int(made["version"]))
        assert (copy.artifact_path, copy.artifact_digest) == ("s3://bucket/2", digest)


def test_a_governed_alias_is_refused_with_a_token_and_without(
    settings: Any, call: Call, churn: DatabaseRegistry, token_of: Callable[..., str]
) -> None:
    settings.OBEYA_ANONYMOUS = "write"
    churn.transition_stage("churn", 1, Stage.STAGING)
    path, wish = "registered-models/alias", {"name": "churn", "alias": "champion", "version": "1"}
    for each in (call, send):
        for alias in ("champion", "Champion"):
            said = refused(each("POST", path, wish | {"alias": alias}), "RESOURCE_CONFLICT", 409)
            assert "Move v1 from Staging to Production." in said
    churn.transition_stage("churn", 1, Stage.PRODUCTION)
    for each in (call, send):
        assert each("POST", path, wish).status_code == 200
        refused(each("DELETE", path, wish), "RESOURCE_CONFLICT", 409, "cannot be deleted")
    found = call("GET", path, wish).json()["model_version"]
    assert (found["version"], found["aliases"]) == ("1", ["champion"])
    churn.set_governed_alias(GovernedAlias("champion", mode=AliasMode.GUARDED))
    churn.register_model("churn")
    wish["version"] = "2"
    writer = {"Authorization": f"Bearer {token_of(Scope.WRITE)}"}
    refused(send("POST", path, wish, **writer), "PERMISSION_DENIED", 403, "Production")
    for each in (call, send):
        refused(each("POST", path, wish), "RESOURCE_CONFLICT", 409, "is bound to Production")


@pytest.mark.parametrize("version", ["0", "-1", "99999999999", "2"])
def test_a_number_that_no_version_has_is_not_found(
    version: str, call: Call, churn: DatabaseRegistry
) -> None:
    asked = {"name": "churn", "version": version}
    text = f"Model Version (name=churn, version={version}) not found"
    for method, path in (
        ("GET", "model-versions/get"),
        ("GET", "model-versions/get-download-uri"),
        ("PATCH", "model-versions/update"),
        ("DELETE", "model-versions/delete"),
    ):
        refused(call(method, path, asked), "RESOURCE_DOES_NOT_EXIST", 404, text)


@pytest.mark.parametrize("version", ["one", "1.0", "1e3", "٣", "1_0", "9" * 30, [], True, {"a": 1}])
def test_an_invalid_number_is_refused(version: Any, call: Call, churn: DatabaseRegistry) -> None:
    asked = {"name": "churn", "version": version, "description": "x"}
    refused(call("PATCH", "model-versions/update", asked), "INVALID_PARAMETER_VALUE", 400)
    assert churn.get_version("churn", 1).description == ""


# --- Moves ----------------------------------------------------------------------------------------


def test_a_refusal_lists_every_reason(call: Call, churn: DatabaseRegistry) -> None:
    policy = (
        PromotionPolicy(Stage.STAGING)
        .require_metric("auc", Comparison.GTE, 0.95)
        .require_metric("f1", Comparison.GTE, 0.5)
    )
    churn.set_policy(policy)
    move = {"name": "churn", "version": "1", "stage": "staging"}
    message = refused(
        call("POST", "model-versions/transition-stage", move), "RESOURCE_CONFLICT", 409
    )
    first, *reasons = message.splitlines()
    assert first == "churn version 1 was not moved from None to Staging:"
    assert len(reasons) == 2
    assert "auc" in reasons[0]
    assert "f1" in reasons[1]
    assert churn.get_version("churn", 1).stage is Stage.DEVELOPMENT


def test_development_has_two_names(call: Call, churn: DatabaseRegistry) -> None:
    for stage in ("None", "none", "Development", "DEVELOPMENT"):
        move = {"name": "churn", "version": "1", "stage": stage}
        moved = call("POST", "model-versions/transition-stage", move)
        assert moved.json()["model_version"]["current_stage"] == "None"
        asked = {"name": "churn", "stages": [stage]}
        found = call("POST", "registered-models/get-latest-versions", asked).json()
        assert [v["version"] for v in found["model_versions"]] == ["1"]
    assert len(churn.get_transitions("churn")) == 1


def test_a_move_can_archive_existing_versions(call: Call, churn: DatabaseRegistry) -> None:
    churn.register_model("churn")
    for version in ("1", "2"):
        move = {"name": "churn", "version": version, "stage": "Staging"}
        call("POST", "model-versions/transition-stage", move)
    again = move | {"archive_existing_versions": True}
    wrong = move | {"archive_existing_versions": "perhaps"}
    refused(call("POST", "model-versions/transition-stage", wrong), "INVALID_PARAMETER_VALUE", 400)
    answer = call("POST", "model-versions/transition-stage", again)
    assert answer.status_code == 200
    assert churn.get_version("churn", 1).stage is Stage.ARCHIVED


# --- Lists ----------------------------------------------------------------------------------------


def test_a_page_token_belongs_to_its_order(call: Call, churn: DatabaseRegistry) -> None:
    for _ in range(3):
        churn.register_model("churn")
    first = call("GET", "model-versions/search", {"max_results": 2}).json()
    token = first["next_page_token"]
    second = call("GET", "model-versions/search", {"max_results": 2, "page_token": token}).json()
    numbers = [v["version"] for v in first["model_versions"] + second["model_versions"]]
    assert sorted(numbers) == ["1", "2", "3", "4"]
    other = {"page_token": token, "order_by": "version_number"}
    refused(call("GET", "model-versions/search", other), "INVALID_PARAMETER_VALUE", 400, "token")


@pytest.mark.parametrize(
    "values",
    [["x", "churn", 1], [1, "churn"], [True, "churn", 1], [1, 2, 3], [-1, "a", 1], [1, "a", 2**70]],
)
def test_a_forged_page_token_is_refused(
    values: list[Any], call: Call, churn: DatabaseRegistry
) -> None:
    for _ in range(2):
        churn.register_model("churn")
    token = call("GET", "model-versions/search", {"max_results": 1}).json()["next_page_token"]
    order, made = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for forged in ([order, values], [order, {}], {}, [1, made]):
        token = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        answer = call("GET", "model-versions/search", {"page_token": token})
        refused(answer, "INVALID_PARAMETER_VALUE", 400, "page token")


@pytest.mark.parametrize("path", ["registered-models/search", "model-versions/search"])
def test_searches_take_a_fixed_number_of_statements(
    path: str, call: Call, churn: DatabaseRegistry, django_assert_max_num_queries: Any
) -> None:
    call("GET", path)
    for model in range(12):
        for number in range(3):
            churn.register_model(f"m{model}", metrics={"auc": 0.5}, tags={"n": str(number)})
        churn.set_alias(f"m{model}", "best", 1)
    with django_assert_max_num_queries(9):
        assert len(call("GET", path).content) > 3_000
