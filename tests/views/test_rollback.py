"""Rollback: the dialog, the plain form, htmx on the board, and permissions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, User
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ADDRESS = "/models/resnet50/rollback/"
BOARD = {"HX-Request": "true", "HX-Current-URL": "http://testserver/?q=resnet"}
MODEL = {"HX-Request": "true", "HX-Current-URL": "http://testserver/models/resnet50/"}

ClientOf = Callable[[User], Client]


def promote(registry: DatabaseRegistry, name: str = "resnet50", *, archive: bool = True) -> int:
    number = registry.register_model(name, None, {"accuracy": 0.8}).version
    registry.transition_stage(name, number, Stage.STAGING)
    registry.transition_stage(name, number, Stage.PRODUCTION, archive_existing=archive)
    return number


def stages(registry: DatabaseRegistry) -> dict[int, str]:
    return {v.version: v.stage.value for v in registry.list_versions("resnet50")}


@pytest.fixture
def three(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Register v3, now in Production, after v1 and v2, now archived."""
    for _ in range(3):
        promote(registry)
    return registry


def test_the_dialog_lists_the_restored_and_the_archived_versions(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    day = r"\d{4}-\d\d-\d\d"
    assert re.search(rf'value="2" selected>v2: in Production until {day}, the last good', page)
    assert re.search(rf'value="1">v1: in Production until {day}</option>', page)
    assert "<b>v2</b> moves from" in page
    assert "<b>v3</b> moves from" in page
    assert 'name="standing" value="3"' in page
    assert 'name="reason" cols="40" rows="2" class="input" maxlength="10000" required' in page


def test_a_plain_form_rolls_back_and_redirects_to_the_history(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    form = {"to_version": "2", "reason": "errors doubled", "standing": "3", "next": "/?q=resnet"}
    client = client_of(alice)
    answer = client.post(ADDRESS, form)
    assert answer.headers["Location"] == "/?q=resnet"
    page = text_of(client.get("/?q=resnet"))
    assert "resnet50 rolled back: v2 is in Production again; v3 archived" in page
    assert '<a href="/models/resnet50/history/">History</a>' in page
    assert stages(three) == {1: "archived", 2: "production", 3: "archived"}
    event = AuditEvent.objects.get(action="model_version.rolled_back", to_stage="production")
    assert (event.actor, event.channel) == (alice, "page")
    assert event.texts.get().text == "errors doubled"


def test_the_form_redirects_only_within_this_server(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    form = {"to_version": "2", "reason": "x", "next": "https://elsewhere.example/"}
    assert client_of(alice).post(ADDRESS, form).headers["Location"] == "/"


def test_the_board_gets_both_cards_the_counts_and_no_way_to_undo(
    three: DatabaseRegistry, client_of: ClientOf, alice: User, settings: object
) -> None:
    settings.OBEYA_WORKFLOW = "open"  # type: ignore[attr-defined]  # pytest-django's wrapper
    answer = client_of(alice).post(
        ADDRESS, {"to_version": "2", "reason": "x", "standing": "3"}, headers=BOARD
    )
    page = text_of(answer)
    assert answer.status_code == 200
    assert 'hx-target="#cards-production"' in page
    assert 'hx-target="#cards-archived"' in page
    assert 'hx-target="#andons"' in page
    assert "v2 is in Production again; v3 archived</hx-partial>" in page
    assert "Undo" not in page
    assert "<html" not in page


def test_another_page_is_loaded_again(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    answer = client_of(alice).post(ADDRESS, {"to_version": "1", "reason": "x"}, headers=MODEL)
    assert answer["HX-Refresh"] == "true"
    assert stages(three)[1] == "production"


def test_the_plan_is_shown_for_the_version_that_is_chosen(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(f"{ADDRESS}?part=plan&to_version=1", headers=BOARD))
    assert "<b>v1</b> moves from" in page
    assert "<form" not in page


def test_a_failing_policy_is_a_warning_and_blocks_nothing(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    three.set_policy(
        PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)
    )
    client = client_of(alice)
    page = text_of(client.get(ADDRESS))
    assert "accuracy is 0.8; required: ≥ 0.9" in page
    assert "The rollback is still possible" in page
    assert "▲ 1 warning" in page
    client.post(ADDRESS, {"to_version": "2", "reason": "x", "standing": "3"})
    assert stages(three)[2] == "production"


def test_after_two_rollbacks_a_version_must_be_named(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    three.rollback("resnet50", reason="x")
    three.rollback("resnet50", reason="x")
    client = client_of(alice)
    page = text_of(client.get(ADDRESS))
    assert "Choose the version to roll back to" in page
    assert '<option value="">Choose a version</option>' in page
    assert "No version is suggested, because a rollback archived each of these versions." in page
    assert re.search(r">v3: in Production until [\d-]+, then archived by a rollback</option>", page)
    answer = client.post(ADDRESS, {"to_version": "", "reason": "x", "standing": "1"})
    assert answer.status_code == 400
    assert "Choose the version to restore" in text_of(answer)


@pytest.mark.parametrize("headers", [{}, BOARD])
@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"to_version": "2", "reason": " "}, 400, "A reason is required to roll back."),
        ({"to_version": "3", "reason": "why"}, 400, "resnet50 v3 is already in Production."),
        ({"to_version": "4", "reason": "why"}, 400, "resnet50 v4 was never in Production"),
        ({"to_version": "9", "reason": "why"}, 404, "resnet50 has no version 9"),
        ({"to_version": "x", "reason": "why"}, 400, "Choose the version"),
        ({"to_version": "2", "reason": "why", "standing": "x"}, 400, "Reload the page"),
        ({"to_version": "2", "reason": "why", "standing": "2"}, 409, "Now there: v3"),
        ({"to_version": "2", "reason": "why", "standing": ""}, 409, "Now there: v3"),
    ],
)
def test_an_impossible_rollback_is_explained_and_changes_nothing(
    three: DatabaseRegistry,
    client_of: ClientOf,
    alice: User,
    headers: dict[str, str],
    form: dict[str, str],
    status: int,
    said: str,
) -> None:
    three.register_model("resnet50")
    events = AuditEvent.objects.count()
    answer = client_of(alice).post(ADDRESS, form, headers=headers)
    page = text_of(answer)
    assert answer.status_code == status
    assert said in page
    assert 'role="alert"' in page
    assert form["reason"].strip() in page
    assert AuditEvent.objects.count() == events
    assert ("<html" in page) is not bool(headers)


def test_a_model_that_never_left_production_has_no_rollback_target(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    promote(registry)
    client = client_of(alice)
    assert "there is no version to roll back to" in text_of(client.get(ADDRESS))
    assert ADDRESS not in text_of(client.get("/models/resnet50/"))


@pytest.mark.parametrize("group", ["viewer", "contributor", "approver"])
def test_rollback_requires_the_promote_permission(
    three: DatabaseRegistry, client_of: ClientOf, group: str
) -> None:
    person = create_user(
        username="dora", group=group, actor=SYSTEM, at=datetime(2026, 3, 1, tzinfo=UTC)
    )
    client = client_of(person)
    assert client.get(ADDRESS).status_code == 403
    answer = client.post(ADDRESS, {"to_version": "2", "reason": "x"})
    assert answer.status_code == 403
    assert "dora does not have permission to move versions into or out of Production." in text_of(
        answer
    )
    assert "Roll back…" not in text_of(client.get("/"))
    assert "Roll back…" not in text_of(client.get("/models/resnet50/"))
    assert stages(three)[3] == "production"


def test_a_promoter_finds_it_on_the_board_and_on_the_models_page(
    three: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    assert text_of(client.get("/")).count("Roll back…") == 1
    assert f'href="{ADDRESS}"' in text_of(client.get("/models/resnet50/"))


def test_no_such_model_is_a_404(client_of: ClientOf, alice: User) -> None:
    client = client_of(alice)
    assert client.get("/models/none/rollback/").status_code == 404
    assert client.post("/models/none/rollback/", {"reason": "x"}).status_code == 404


def test_the_dialog_takes_the_same_statements_for_any_number_of_versions(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    taken = []
    for more in (2, 10):
        for _ in range(more):
            promote(registry)
        with CaptureQueriesContext(connection) as statements:
            client.get(ADDRESS)
        taken.append(len(statements))
    assert taken[0] == taken[1]
