"""Pages explain their marks, and say where each of them belongs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from boards.access.actors import SYSTEM
from boards.models import PolicyCheck, User
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from obeya.errors import RegistryError
from obeya.metrics import MetricDefinition
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage
from tests.views.page_text import text_of

ClientOf = Callable[[User], Client]


@pytest.fixture
def compared(registry: DatabaseRegistry) -> DatabaseRegistry:
    """A champion, v1, and v2 in Staging, which is 1.5 points better and fails for Production."""
    definition = MetricDefinition("accuracy", unit="%")
    define_metric(definition=definition, actor=SYSTEM, at=datetime.now(UTC))
    registry.register_model("resnet50", metrics={"accuracy": 90})
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    registry.register_model("resnet50", metrics={"accuracy": 91.5})
    registry.transition_stage("resnet50", 2, Stage.STAGING)
    policy = PromotionPolicy(Stage.PRODUCTION)
    policy = policy.require_metric("accuracy", Comparison.GTE, 95)
    registry.set_policy(policy.require_metric("f1", Comparison.GTE, 0.9))
    return registry


def section(page: str) -> str:
    """The entry of the navigation that is highlighted."""
    found = re.findall(r'<a href="[^"]*" aria-current="page">(\w+)', page.partition("</header>")[0])
    return ", ".join(found)


def test_a_failing_card_lists_what_is_required_and_what_was_measured(
    compared: DatabaseRegistry, client_of: ClientOf, victor: User
) -> None:
    page = text_of(client_of(victor).get("/"))
    status = '<span class="lamp lamp-fails">Fails 2 requirements</span>'
    assert f"<summary>{status}</summary>" in page
    assert "<b>accuracy ≥ 95</b><br>accuracy is 91.5; required: ≥ 95." in page
    assert "<b>f1 ≥ 0.9</b><br>f1 was not measured." in page
    assert 'href="/models/resnet50/versions/2/#policy-result">See the policy check' in page


def test_a_request_lists_the_failed_requirements(
    compared: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    compared.request_transition("resnet50", 2, Stage.PRODUCTION)
    page = text_of(client_of(alice).get("/requests/?view=all"))
    assert "<b>accuracy ≥ 95</b><br>accuracy is 91.5; required: ≥ 95." in page


def test_a_difference_has_its_unit_and_its_baseline(
    compared: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    difference = '↑ +1.5 <span class="unit">points</span>'
    board = text_of(client.get("/"))
    assert '<p class="card-baseline">vs champion v1</p>' in board
    assert difference in board
    assert "%</span></span>" not in board
    version = text_of(client.get("/models/resnet50/versions/2/"))
    assert "Difference vs v1</th>" in version
    assert difference in version
    model = text_of(client.get("/models/resnet50/"))
    assert "difference from champion v1" in model
    assert "accuracy (%)" in model
    compare = text_of(client.get("/compare/?v=resnet50:1&v=resnet50:2&baseline=0"))
    assert "Differences vs resnet50 v1, in the unit of the metric" in compare
    client.post("/models/resnet50/versions/2/check/", {"to_stage": "production"})
    check = text_of(client.get(f"/checks/{PolicyCheck.objects.latest('pk').uid}/"))
    assert "Difference vs v1</th>" in check
    assert difference in check


@pytest.mark.parametrize(
    ("address", "mark"),
    [
        ("/", "Passes the policy for the next stage."),
        ("/board/staging/", "Passes the policy for the next stage."),
        ("/?at={now}", "Deleted after this date."),
        ("/models/", "Versions in Staging."),
        ("/models/resnet50/", "The version that entered Production last."),
        ("/models/resnet50/versions/2/", "Percentage points: the difference of two values in %."),
    ],
)
def test_a_page_with_marks_has_a_legend(
    address: str, mark: str, compared: DatabaseRegistry, client_of: ClientOf, victor: User
) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    page = text_of(client_of(victor).get(address.format(now=now)))
    assert "<summary>Legend</summary>" in page
    assert mark in page


def test_archiving_is_final_but_for_a_rollback(
    compared: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    dialog = text_of(client.get("/models/resnet50/versions/1/transition/"))
    assert "An archived version can return only by a rollback." in dialog
    dialog = text_of(client.get("/models/resnet50/versions/2/transition/"))
    assert "Archived versions can't be restored." in dialog


def test_the_navigation_shows_where_a_page_belongs(
    compared: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    with pytest.raises(RegistryError):
        compared.transition_stage("resnet50", 2, Stage.PRODUCTION)
    check = PolicyCheck.objects.latest("pk").uid
    assert section(text_of(client.get(f"/checks/{check}/"))) == "Models"
    assert section(text_of(client.get("/waivers/"))) == "Requests"
    waiver = compared.waive(
        "resnet50",
        2,
        ["f1 ≥ 0.9"],
        reason="measured next week",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    assert section(text_of(client.get(f"/waivers/{waiver.id}/revoke/"))) == "Requests"


def test_administrators_find_the_webhooks_in_the_top_bar(
    client_of: ClientOf, alice: User, victor: User
) -> None:
    link = '<a class="account-link" href="/settings/webhooks/"'
    assert f"{link}>Webhooks</a>" in text_of(client_of(alice).get("/"))
    current = f'{link} aria-current="page">Webhooks</a>'
    assert current in text_of(client_of(alice).get("/settings/webhooks/"))
    assert "/settings/webhooks/" not in text_of(client_of(victor).get("/"))


def test_the_audit_log_writes_abbreviations_in_capitals(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("resnet50", artifact_path="s3://bucket/model.onnx")
    page = text_of(client_of(alice).get("/audit/"))
    assert "artifact URI" in page
    assert "artifact uri" not in page
