"""The form of a metric definition: `/metrics/define/?name=...`."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils.html import strip_tags

from boards.models import AuditEvent, User
from boards.models import MetricDefinition as Row
from boards.registry.database import DatabaseRegistry
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
NAME = "val/latency p99"
FILLED = {
    "direction": "lower",
    "title": "p99",
    "unit": "ms",
    "scale": "",
    "description": "Measured\r\nat the door.",
}


def address(name: str = NAME, **more: str) -> str:
    return f"/metrics/define/?{urlencode({'name': name, **more})}"


def plain_text(answer: HttpResponse) -> str:
    return " ".join(strip_tags(text_of(answer)).split())


def test_the_form_shows_what_the_name_implies_and_the_measured_versions(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("a", metrics={NAME: 12.0})
    answer = client_of(alice).get(address())
    assert "1 version has this metric." in plain_text(answer)
    assert "Judging by its name, lower is better" in plain_text(answer)
    assert re.search(r'name="direction" value="lower" [^>]*checked', text_of(answer))


def test_saving_changes_the_comparison_and_leaves_an_event(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for value in (10.0, 12.0):
        registry.register_model("a", metrics={"width": value})
    client, compared = client_of(alice), "/compare/?v=a:1&v=a:2"
    assert "+20 % changed" in plain_text(client.get(compared))
    answer = client.post(
        address("width", next=compared), {**FILLED, "direction": "higher"}, follow=True
    )
    assert answer.redirect_chain == [(compared, 302)]
    assert "Definition of width saved." in plain_text(answer)
    assert "+20 % better" in plain_text(answer)
    assert "p99 ms" in plain_text(answer)
    row = Row.objects.get()
    assert (row.name, row.direction, row.unit) == ("width", "higher", "ms")
    assert row.description == "Measured\nat the door."
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor) == ("metric_definition.set", alice)


def test_saving_the_same_says_that_nothing_changed(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    client.post(address(), FILLED)
    before = AuditEvent.objects.count()
    answer = client.post(address(), FILLED, follow=True)
    assert f"No changes to {NAME}." in plain_text(answer)
    assert answer.redirect_chain[0][0].startswith("/metrics/define/?name=val%2Flatency")
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("unit", "x" * 25, "The unit of a metric must be a text of at most 24 characters."),
        ("unit", "a\x00", "The unit of a metric must be a text"),
        ("title", "x" * 41, "The title of a metric must be a text of at most 40 characters."),
        ("description", "x" * 100_001, "A description can have at most 100,000 characters"),
        ("direction", "sideways", "Choose the better direction."),
        ("scale", "permille", "Choose a scale."),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_invalid_field_is_explained_beside_it_and_nothing_is_lost(
    registry: DatabaseRegistry,
    client_of: ClientOf,
    alice: User,
    field: str,
    value: str,
    sentence: str,
) -> None:
    given = {**FILLED, field: value}
    answer = client_of(alice).post(address(), given)
    assert answer.status_code == 400
    page = text_of(answer)
    error = page[page.index(f'id="{field}_error"') :]
    assert sentence in error[: error.index("</p>")]
    kept = "title" if field != "title" else "unit"
    assert f'name="{kept}" value="{FILLED[kept]}"' in page
    assert not Row.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 251, "a\x00"])
def test_an_invalid_name_is_explained(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, name: str
) -> None:
    assert client_of(alice).get(address(name)).status_code == 400


def test_defining_metrics_requires_the_policy_permission(
    registry: DatabaseRegistry, client: Client, client_of: ClientOf, victor: User
) -> None:
    assert client.get(address()).status_code == 302
    for answer in (
        client_of(victor).get(address()),
        client_of(victor).post(address(), FILLED),
    ):
        assert answer.status_code == 403
    assert not Row.objects.exists()


@pytest.mark.parametrize("target", ["https://example.com/", "//example.com/", "javascript:x"])
def test_it_redirects_only_within_this_server(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, target: str
) -> None:
    client = client_of(alice)
    assert target not in text_of(client.get(address(next=target))).split("<main")[1]
    answer = client.post(address(next=target), FILLED)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/metrics/define/")
