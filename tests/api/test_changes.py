"""Writes through the API: registration, transitions, and preconditions (If-Match)."""

from __future__ import annotations

import json

import pytest

from boards.models import AuditEvent, ModelVersion, PolicyCheck, RegisteredModel, User
from boards.registry.database import DatabaseRegistry
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage
from tests.api.conftest import Program, ProgramOf, problem

RESNET = {
    "metrics": {"top1": 80.4, "latency_ms": {"value": 12.5, "samples": 100}},
    "tags": {"family": "resnet"},
    "label": "1.0",
    "artifact_path": "s3://m/1.safetensors",
    "description": "Trained *well*.",
}


def test_a_version_is_registered_and_read_back(api: Program) -> None:
    made = api.post("/models/ResNet 50%/versions".replace(" ", "%20").replace("%/", "%25/"), RESNET)
    assert made.status_code == 201
    assert made["Location"] == "/api/v1/models/ResNet%2050%25/versions/1"
    version = made.json()
    assert (version["model"], version["version"], version["stage"]) == (
        "ResNet 50%",
        1,
        "development",
    )
    assert version["measurements"]["latency_ms"] == {"value": 12.5, "samples": 100}
    read = api.get(made["Location"].removeprefix("/api/v1"))
    assert read.json() == version
    assert read["ETag"] == made["ETag"] == '"1"'
    event = AuditEvent.objects.get(action="model_version.registered")
    assert event.channel == "api"


def test_a_similar_name_is_a_problem_with_the_existing_one_unless_allowed(api: Program) -> None:
    api.post("/models/model/versions")
    document = problem(api.post("/models/MODEL/versions"), 409, "similar_name")
    assert (document["existing"], document["field"]) == ("model", "name")
    assert document["detail"].endswith(" Use the existing one.")
    made = api.post("/models/MODEL/versions", {document["override"]: True})
    assert made.status_code == 201
    said = "The model name “MODEL” is similar to “model”."
    assert json.loads(made["Obeya-Similar-Names"]) == [said]
    assert "Obeya-Similar-Names" not in api.post("/models/MODEL/versions")


def test_a_limited_token_is_not_shown_the_similar_name_of_another_model(
    api: Program, alice: User, program_of: ProgramOf
) -> None:
    for name in ("Bsecret", "bsecretl", "b-ours"):
        api.post(f"/models/{name}/versions", {"allow_similar": True})
    limited = program_of(alice, ["read", "write"], ["b-*", "bsecret*1", "bsecret"])
    hidden = problem(limited.post("/models/bsecret/versions"), 409, "similar_name")
    assert "existing" not in hidden
    assert "Bsecret" not in json.dumps(hidden)
    made = limited.post("/models/bsecret1/versions")
    assert json.loads(made["Obeya-Similar-Names"]) == [
        "The model name “bsecret1” is similar to one that you cannot see."
    ]
    own = problem(limited.post("/models/b-Ours/versions"), 409, "similar_name")
    assert own["existing"] == "b-ours"


def test_similar_ascii_letters_are_a_warning_in_a_header_of_limited_length(api: Program) -> None:
    api.post("/models/m/versions", {"metrics": {f"loss{n:02}1": 1 for n in range(99)}})
    made = api.post(
        "/models/m/versions/1/metrics", {"metrics": {f"loss{n:02}l": 1 for n in range(99)}}
    )
    assert made.status_code == 200
    header = made["Obeya-Similar-Names"]
    assert json.loads(header)[0] == "The metric name “loss00l” is similar to “loss001”."
    assert len(header) <= 4_000


def test_a_known_etag_is_answered_with_304(api: Program) -> None:
    api.post("/models/m/versions")
    assert api.get("/models/m/versions/1", If_None_Match='"1"').status_code == 304
    assert api.get("/models/m/versions/1", If_None_Match='"2"').status_code == 200
    tag = api.get("/models/m")["ETag"]
    assert api.get("/models/m", If_None_Match=tag).status_code == 304


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/models/m/versions/1", {"description": "other"}),
        ("POST", "/models/m/versions/1/metrics", {"metrics": {"a": 1.0}}),
        ("PUT", "/models/m/versions/1/tags/k", {"value": "v"}),
        ("DELETE", "/models/m/versions/1/tags/there", None),
        ("POST", "/models/m/versions/1/transitions", {"to_stage": "staging"}),
        ("DELETE", "/models/m/versions/1", None),
        ("PATCH", "/models/m", {"description": "other"}),
        ("PUT", "/models/m/tags/k", {"value": "v"}),
        ("PUT", "/models/m/aliases/best", {"version": 1}),
        ("DELETE", "/models/m", None),
    ],
)
def test_a_stale_precondition_is_refused_and_changes_nothing(
    api: Program, method: str, path: str, body: object
) -> None:
    api.post("/models/m/versions", {"tags": {"there": "1"}})
    is_version = "/versions/" in path
    seen = api.get("/models/m/versions/1" if is_version else "/models/m")["ETag"]
    api.patch("/models/m/versions/1", {"description": "somebody was faster"})
    events = AuditEvent.objects.count()
    stale = problem(api.send(method, path, body, If_Match=seen), 412, "conflict")
    assert "was changed in the meantime" in stale["detail"]
    assert AuditEvent.objects.count() == events
    fresh = api.get("/models/m/versions/1" if is_version else "/models/m")["ETag"]
    assert api.send(method, path, body, If_Match=fresh).status_code < 300


@pytest.mark.parametrize("seen", ["1", 'W/"1"', '"abc"', '"1", "2"'])
def test_an_invalid_etag_is_refused(api: Program, seen: str) -> None:
    api.post("/models/m/versions")
    answer = api.patch("/models/m/versions/1", {"description": "x"}, If_Match=seen)
    problem(answer, 400, "invalid_input")


def test_many_versions_are_registered_together(api: Program) -> None:
    drafts = [{"model": f"m{i % 3}", **RESNET, "label": f"1.{i}"} for i in range(9)]
    made = api.post("/versions", {"versions": drafts})
    assert made.status_code == 201
    assert [(v["model"], v["version"]) for v in made.json()["items"]] == [
        (f"m{i % 3}", i // 3 + 1) for i in range(9)
    ]
    model = RegisteredModel.objects.get(name="m1")
    assert (model.development_count, model.last_number) == (3, 3)


@pytest.mark.parametrize(
    ("draft", "status", "code", "field"),
    [
        ({"model": "m", "version": 1}, 409, "already_exists", "versions[2].version"),
        ({"model": "m", "label": "a"}, 409, "already_exists", "versions[2].label"),
        ({"model": "a/b"}, 400, "invalid_input", "versions[2].name"),
        ({"model": "m", "metrics": {"": 1.0}}, 400, "invalid_input", "versions[2].metric"),
    ],
)
def test_many_versions_are_registered_all_or_nothing(
    api: Program, draft: dict[str, object], status: int, code: str, field: str
) -> None:
    answer = api.post(
        "/versions", {"versions": [{"model": "m", "label": "a"}, {"model": "n"}, draft]}
    )
    assert problem(answer, status, code)["field"] == field
    assert not ModelVersion.objects.exists()
    assert not RegisteredModel.objects.exists()


def test_a_refused_move_lists_every_reason_and_stores_its_check(
    api: Program, registry: DatabaseRegistry
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.STAGING)
        .require_metric("top1", Comparison.GTE, 90)
        .require_approvals(1)
    )
    api.post("/models/m/versions", RESNET)
    answer = api.post("/models/m/versions/1/transitions", {"to_stage": "staging"})
    refused = problem(answer, 422, "transition_refused")
    assert [reason["kind"] for reason in refused["refusals"]] == ["policy", "approvals"]
    assert refused["policy_result"]["outcomes"][0]["observed"] == 80.4
    check = api.get(f"/checks/{refused['check']}")
    assert check.json()["allowed"] is False
    # The JSON members of a stored check do not change.
    assert check.json()["verdict"]["outcomes"] == refused["policy_result"]["outcomes"]
    assert PolicyCheck.objects.count() == 1
    skipped = api.post("/models/m/versions/1/transitions", {"to_stage": "production"})
    assert "Staging" in problem(skipped, 422, "invalid_transition")["detail"]


def test_a_stale_expectation_in_the_body_is_a_conflict(api: Program) -> None:
    api.post("/models/m/versions")
    answer = api.post(
        "/models/m/versions/1/transitions", {"to_stage": "staging", "expected_stage": "production"}
    )
    assert problem(answer, 409, "conflict")["stage"] == "development"


def test_a_model_is_renamed_and_described_together_or_not_at_all(api: Program) -> None:
    api.post("/models/m/versions")
    api.post("/models/taken/versions")
    answer = api.patch("/models/m", {"description": "new", "name": "taken"})
    problem(answer, 409, "already_exists")
    assert api.get("/models/m").json()["description"] == ""
    changed = api.patch("/models/m", {"description": "new", "name": "n", "workflow": "returns"})
    assert (changed.json()["name"], changed.json()["workflow"]) == ("n", "returns")
    problem(api.get("/models/m"), 404, "not_found")


def test_lists_are_paged(api: Program) -> None:
    api.post("/versions", {"versions": [{"model": f"m{i:02}"} for i in range(7)]})
    names, cursor, pages = [], "", 0
    while True:
        answer = api.get(f"/models?limit=3&cursor={cursor}").json()
        names += [model["name"] for model in answer["items"]]
        pages += 1
        cursor = answer["next"]
        if cursor is None:
            break
    assert names == [f"m{i:02}" for i in range(7)]
    assert pages == 3


def test_history_is_paged_oldest_first(api: Program) -> None:
    for _ in range(3):
        api.post("/models/m/versions")
    first = api.get("/models/m/transitions?limit=2").json()
    second = api.get(f"/models/m/transitions?limit=2&cursor={first['next']}").json()
    assert [m["version"] for m in first["items"] + second["items"]] == [1, 2, 3]
    assert second["next"] is None
