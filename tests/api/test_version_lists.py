"""Lists of versions: filters, sorting, paging, and the model globs of a token."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from boards.models import User
from boards.registry.database import DatabaseRegistry
from obeya import Stage
from tests.api.conftest import Program, ProgramOf

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]


@pytest.fixture
def models(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Register six versions of two models; one version has no metric."""
    for accuracy in (0.7, 0.9, 0.8):
        registry.register_model("resnet", metrics={"accuracy": accuracy}, tags={"family": "cnn"})
    registry.register_model("vit", metrics={"accuracy": 0.95}, tags={"family": "transformer"})
    registry.register_model("vit")
    registry.register_model("vit", metrics={"accuracy": 0.6})
    registry.transition_stage("vit", 1, Stage.STAGING)
    return registry


def get(api: Program, path: str, query: dict[str, Any] | None = None) -> Any:
    return api.get(f"{path}?{urlencode(query or {})}")


def named(answer: Any) -> list[str]:
    return [f"{row['model']} {row['version']}" for row in answer.json()["items"]]


def test_versions_are_filtered_and_sorted(models: DatabaseRegistry, api: Program) -> None:
    found = get(
        api,
        "/versions",
        {
            "filter": 'metrics.accuracy >= 0.8 and not tags.family = "transformer"',
            "order_by": "metrics.accuracy",
        },
    )
    assert named(found) == ["resnet 3", "resnet 2"]
    assert named(get(api, "/versions", {"filter": "stage = Staging"})) == ["vit 1"]


def test_versions_without_the_metric_come_last_in_both_orders(
    models: DatabaseRegistry, api: Program
) -> None:
    for way in ("asc", "desc"):
        found = get(api, "/models/vit/versions", {"order_by": f"metrics.accuracy {way}"})
        assert named(found)[-1] == "vit 2"


def test_pages_cover_the_whole_list(models: DatabaseRegistry, api: Program) -> None:
    whole = named(get(api, "/versions", {"order_by": "metrics.accuracy desc"}))
    joined: list[str] = []
    cursor = ""
    while True:
        page = get(
            api, "/versions", {"order_by": "metrics.accuracy desc", "limit": 2, "cursor": cursor}
        )
        joined += named(page)
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert joined == whole
    assert len(whole) == 6


@pytest.mark.parametrize(
    ("query", "field", "position"),
    [
        ({"filter": "metrics.accuracy >="}, "filter", 19),
        ({"filter": "= 3"}, "filter", 0),
        ({"order_by": "sideways"}, "order_by", 0),
    ],
)
def test_a_filter_error_names_its_position(
    query: dict[str, str], field: str, position: int, api: Program
) -> None:
    answer = get(api, "/versions", query)
    assert answer.status_code == 400
    assert (answer.json()["field"], answer.json()["position"]) == (field, position)


def test_a_cursor_of_another_order_is_refused(models: DatabaseRegistry, api: Program) -> None:
    first = get(api, "/versions", {"limit": 2}).json()
    answer = get(api, "/versions", {"order_by": "model", "cursor": first["next"]})
    assert answer.status_code == 400
    assert answer.json()["field"] == "cursor"


def test_a_token_lists_only_its_models(
    models: DatabaseRegistry, alice: User, program_of: ProgramOf
) -> None:
    caller = program_of(alice, models=["res*"])
    assert {row.split()[0] for row in named(caller.get("/versions"))} == {"resnet"}
    assert caller.get("/models/vit/versions").status_code == 403


def test_a_policy_is_removed(models: DatabaseRegistry, api: Program) -> None:
    policy = {"requirements": [], "required_approvals": 1}
    for address in ("/policies/production", "/models/vit/policies/production"):
        assert api.put(address, policy).status_code == 200
        assert api.delete(f"{address}?reason=Too+early").status_code == 204
        assert api.delete(address).status_code == 404


def test_the_policies_in_force_are_listed_with_those_of_models(
    models: DatabaseRegistry, alice: User, api: Program, program_of: ProgramOf
) -> None:
    for address in ("/policies/staging", "/models/vit/policies/staging"):
        api.put(address, {"requirements": [], "required_approvals": 1})
    listed = [row["model"] for row in api.get("/policies").json()["items"]]
    assert listed == [None, "vit"]
    confined = program_of(alice, models=["res*"])
    assert [row["model"] for row in confined.get("/policies").json()["items"]] == [None]
