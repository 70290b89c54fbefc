"""Importing models through the API: permission, report and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from boards.models import AuditEvent, RegisteredModel, User
from obeya.tokens import Scope
from tests.api.conftest import Program, ProgramOf, problem

pytestmark = pytest.mark.both_engines

AT = "2024-05-01T10:00:00Z"
FUTURE = "2999-01-01T00:00:00Z"
FIRST = {"version": 1, "stage": "production", "created_at": AT, "updated_at": AT}
MODEL = {"model": "m", "origin": "https://mlflow.example.org", "created_at": AT}


def test_a_model_is_imported_with_a_report(api: Program) -> None:
    answer = api.post("/imports", MODEL | {"versions": [FIRST]})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "model": "m",
        "is_new": True,
        "imported": [1],
        "existing": [],
        "refused": [],
        "kept_aliases": [],
        "clamped_times": [],
        "similar_names": [],
    }
    made = api.get("/models/m/versions/1").json()
    assert (made["stage"], made["created_at"]) == ("production", "2024-05-01T10:00:00+00:00")
    assert made["imported_unchecked"]
    again = api.post("/imports", MODEL | {"versions": [FIRST | {"artifact_path": "s3://other"}]})
    assert [one["version"] for one in again.json()["refused"]] == [1]
    assert "another artifact URI" in again.json()["refused"][0]["reason"]


def test_a_time_in_the_future_is_refused_or_replaced(api: Program) -> None:
    ahead = {"version": 2, "stage": "production", "created_at": AT, "updated_at": FUTURE}
    answer = api.post("/imports", MODEL | {"versions": [FIRST, ahead]}).json()
    assert (answer["imported"], [one["version"] for one in answer["refused"]]) == ([1], [2])
    assert "updated_at of v2 is in the future: 2999-01-01" in answer["refused"][0]["reason"]
    clamped = MODEL | {"versions": [ahead], "clamp_future_times": True}
    answer = api.post("/imports", clamped).json()
    assert answer["imported"] == [2]
    assert "The time of the import was stored." in answer["clamped_times"][0]
    assert not AuditEvent.objects.filter(canonical_text__contains="2999").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"created_at": FUTURE},
        {"created_at": "2024-05-01T10:00:00"},
        {"created_at": "yesterday"},
        {"model": ""},
        {"colour": "red"},
        {"versions": [FIRST | {"stage": "Live"}]},
        {"versions": [FIRST | {"version": 0}]},
        {"versions": [FIRST | {"version": "1"}]},
        {"versions": [FIRST | {"metrics": {"auc": "0.9"}}]},
        {"versions": [FIRST | {"updated_at": 1714557600}]},
        {"versions": [FIRST, FIRST]},
        {"versions": [FIRST | {"version": n} for n in range(1, 502)]},
    ],
)
def test_an_invalid_model_is_refused_completely(api: Program, wrong: dict[str, Any]) -> None:
    before = AuditEvent.objects.count()
    problem(api.post("/imports", MODEL | wrong), 400, "invalid_input")
    assert not RegisteredModel.objects.exists()
    assert AuditEvent.objects.count() == before


def test_importing_requires_the_scope_admin_for_the_model(
    alice: User, program_of: ProgramOf
) -> None:
    for program in (
        program_of(alice, [Scope.READ, Scope.WRITE, Scope.PROMOTE]),
        program_of(alice, models=["other-*"]),
    ):
        problem(program.post("/imports", MODEL | {"versions": [FIRST]}), 403, "not_allowed")
    assert not RegisteredModel.objects.exists()
