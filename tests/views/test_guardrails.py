"""Guardrails and live values on the model's page, and alerts on board and model."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM
from boards.models import AuditEvent, User
from boards.queries.board.andons import raised_andons
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, Stage
from obeya.tokens import Scope
from obeya.transitions.guardrails import Guardrail
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

MODEL = "/models/resnet50/"
RAILS = "/models/resnet50/guardrails/"
REMOVE = "/models/resnet50/guardrails/remove/"
LIVE = "/models/resnet50/live/"
RAIL = {"metric": "error_rate", "comparison": "<=", "bound": "0.02"}

ClientOf = Callable[[User], Client]


def person(group: str) -> User:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return create_user(username="dora", group=group, actor=SYSTEM, at=at)


def promote(registry: DatabaseRegistry, name: str = "resnet50") -> None:
    number = registry.register_model(name).version
    registry.transition_stage(name, number, Stage.STAGING)
    registry.transition_stage(name, number, Stage.PRODUCTION, archive_existing=True)


@pytest.fixture
def guarded(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Register v2 of resnet50 in Production, after v1, with a guardrail on its error rate."""
    promote(registry)
    promote(registry)
    registry.set_guardrail("resnet50", Guardrail("error_rate", Comparison.LTE, 0.02))
    return registry


def test_a_guardrail_is_set_shown_and_removed(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    promote(registry)
    client = client_of(alice)
    assert "No guardrails." in text_of(client.get(MODEL))
    answer = client.post(RAILS, {**RAIL, "auto_rollback": "1"})
    assert answer.headers["Location"] == f"{MODEL}#guardrails"
    page = text_of(client.get(MODEL))
    assert "Guardrail set: error_rate ≤ 0.02." in page
    assert "When crossed: alert and automatic rollback" in page
    assert "no live value reported for a version in Production" in page
    client.post(REMOVE, {"metric": "error_rate"})
    assert "No guardrails." in text_of(client.get(MODEL))
    assert [
        e.action for e in AuditEvent.objects.filter(action__startswith="guardrail").order_by("pk")
    ] == [
        "guardrail.set",
        "guardrail.removed",
    ]


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"bound": "low"}, "rail-bound", "The limit must be a number such as 0.02, not “low”."),
        ({"bound": ""}, "rail-bound", "it is missing"),
        ({"bound": "nan"}, "rail-metric", "must be a finite number"),
        ({"metric": " "}, "rail-metric", "A metric name cannot be empty."),
        ({"comparison": "!"}, "rail-comparison", "is not a comparison"),
    ],
)
def test_an_invalid_form_is_shown_again_with_its_text(
    registry: DatabaseRegistry,
    client_of: ClientOf,
    alice: User,
    wrong: dict[str, str],
    field: str,
    said: str,
) -> None:
    promote(registry)
    answer = client_of(alice).post(RAILS, {**RAIL, **wrong})
    page = text_of(answer)
    assert answer.status_code == 400
    assert said in page
    marked = re.search(r'aria-invalid="true" aria-describedby="([\w-]+)_error"', page)
    assert marked is not None
    assert marked[1] == field
    if "metric" not in wrong:
        assert 'name="metric" value="error_rate"' in page
    assert not models.Guardrail.objects.exists()


def test_live_values_are_shown_with_their_state_and_time(
    guarded: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    client.post(LIVE, {"metric": "error_rate", "value": "0.013", "version": "2"})
    client.post(LIVE, {"metric": "requests_per_s", "value": "412"})
    page = text_of(client.get(MODEL))
    assert "Live value reported: v2: live error_rate is 0.013." in page
    assert (
        '<b title="0.013">0.013</b> <span class="lamp lamp-passes">within the limit</span>' in page
    )
    assert "Live metrics without a guardrail" in page
    assert "andons-title" not in page


def test_a_breach_shows_an_alert_on_board_and_model_until_it_is_cleared(
    guarded: DatabaseRegistry, client_of: ClientOf, alice: User, victor: User
) -> None:
    client = client_of(alice)
    client.post(LIVE, {"metric": "error_rate", "value": "0.05"})
    page = text_of(client.get(MODEL))
    assert "The guardrail raised an alert (andon)." in page
    assert '<span class="lamp lamp-fails">crossed the limit</span>' in page
    for address in (MODEL, "/", RAILS):
        page = text_of(client.get(address))
        assert "Alert (andon): a live metric of a Production version crossed a limit" in page
        assert "v2: live error_rate is 0.05; required: ≤ 0.02." in page
        assert re.search(r'id="andon-\d+" href="/models/resnet50/rollback/', page)
    seen = text_of(client_of(victor).get("/"))
    assert "Alert (andon): a live metric of a Production version crossed a limit" in seen
    assert "Roll back…" not in seen
    client.post(LIVE, {"metric": "error_rate", "value": "0.01"})
    assert "breached" not in text_of(client.get("/"))


def test_a_guardrail_that_rolls_back_says_so(
    guarded: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    guarded.set_guardrail(
        "resnet50", Guardrail("error_rate", Comparison.LTE, 0.02, auto_rollback=True)
    )
    answer = client_of(alice).post(LIVE, {"metric": "error_rate", "value": "0.05"}, follow=True)
    assert "The guardrail rolled back to v1." in text_of(answer)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"metric": "error_rate", "value": "high"}, "The value must be a number"),
        ({"metric": "error_rate", "value": "inf"}, "must be a finite number"),
        ({"metric": "", "value": "1"}, "A metric name cannot be empty."),
        ({"metric": "error_rate", "value": "1", "version": "1"}, "v1 is not in Production."),
        ({"metric": "error_rate", "value": "1", "version": "x"}, "Choose a version"),
    ],
)
def test_an_invalid_report_is_a_400_with_a_message(
    guarded: DatabaseRegistry, client_of: ClientOf, alice: User, form: dict[str, str], said: str
) -> None:
    answer = client_of(alice).post(LIVE, form)
    assert answer.status_code == 400
    assert said in text_of(answer)
    assert not models.LiveValue.objects.exists()


def test_with_nothing_in_production_there_is_nothing_to_report(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("resnet50")
    client = client_of(alice)
    assert "so there is nothing to report" in text_of(client.get(MODEL))
    answer = client.post(LIVE, {"metric": "error_rate", "value": "1"})
    assert answer.status_code == 400
    assert "resnet50 has no version in Production." in text_of(answer)


@pytest.mark.parametrize(
    ("group", "may"),
    [
        ("viewer", {"set": False, "report": False}),
        ("contributor", {"set": False, "report": True}),
        ("promoter", {"set": False, "report": True}),
        ("approver", {"set": False, "report": False}),
        ("administrator", {"set": True, "report": True}),
    ],
)
def test_everyone_sees_guardrails_and_changes_require_permissions(
    guarded: DatabaseRegistry, client_of: ClientOf, group: str, may: dict[str, bool]
) -> None:
    client = client_of(person(group))
    page = text_of(client.get(MODEL))
    assert "error_rate ≤ 0.02" in page
    assert ("New guardrail" in page) is may["set"]
    assert ("Report a live value" in page) is may["report"]
    for address, form, deed in [
        (RAILS, RAIL, "set"),
        (RAILS, {**RAIL, "bound": "nonsense"}, "set"),
        (LIVE, {"metric": "error_rate", "value": "0.01"}, "report"),
        (LIVE, {}, "report"),
        (REMOVE, {"metric": "error_rate"}, "set"),
    ]:
        assert (client.post(address, form).status_code == 403) is not may[deed]


def test_automatic_rollback_is_offered_with_the_promote_permission(
    guarded: DatabaseRegistry, client_of: ClientOf
) -> None:
    dora = person("viewer")
    permissions = models.User._meta.get_field("user_permissions").related_model
    dora.user_permissions.add(permissions.objects.get(codename="edit_policy"))  # type: ignore[union-attr]
    client = client_of(dora)
    assert "Roll back automatically" not in text_of(client.get(MODEL))
    assert client.post(RAILS, {**RAIL, "auto_rollback": "1"}).status_code == 403
    assert not models.Guardrail.objects.get().auto_rollback
    assert client.post(RAILS, {**RAIL, "bound": "0.03"}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_the_displayed_command_works_for_any_name(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, live_server: Any
) -> None:
    name = 'it\'s "q" \\ $HOME `x` é'
    promote(registry, name)
    page = text_of(client_of(alice).get(f"/models/{name}/"))
    found = re.search(r'<pre class="command"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    command = html.unescape(found[1]).replace("http://testserver", live_server.url)
    scopes = [Scope.READ, Scope.WRITE]
    _, token = create_token(user=alice, name="m", scopes=scopes, actor=SYSTEM, at=timezone.now())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OBEYA_TOKEN": token, "PATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert "0.013" in done.stdout
    assert models.LiveValue.objects.get().version.model.name == name


def test_several_alerts_are_counted_and_folded_after_the_third(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for number in range(5):
        name = f"model-{number}"
        promote(registry, name)
        registry.set_guardrail(name, Guardrail("error_rate", Comparison.LTE, 0.02))
        registry.report_live_metric(name, "error_rate", 0.5)
    page = text_of(client_of(alice).get("/"))
    assert "5 alerts (andon): live metrics of Production versions crossed a limit" in page
    assert "<summary>2 more</summary>" in page
    with CaptureQueriesContext(connection) as statements:
        andons = raised_andons()
    assert len(statements) == 1
    assert (andons.count, len(andons.shown), len(andons.folded)) == (5, 3, 2)


def test_the_page_takes_the_same_statements_for_any_number_of_guardrails(
    guarded: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    taken = []
    for count in (1, 20):
        for number in range(count):
            metric = f"metric_{count}_{number}"
            guarded.set_guardrail("resnet50", Guardrail(metric, Comparison.LTE, 1))
            guarded.report_live_metric("resnet50", metric, 2)
        with CaptureQueriesContext(connection) as statements:
            client.get(MODEL)
        taken.append(len(statements))
    assert taken[0] == taken[1]


def test_no_such_model_or_guardrail_is_a_404(
    guarded: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    assert client.get("/models/none/guardrails/").status_code == 404
    assert client.post("/models/none/guardrails/", RAIL).status_code == 404
    assert client.post(REMOVE, {"metric": "none"}).status_code == 404
