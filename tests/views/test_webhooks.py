"""The pages of webhooks."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, Delivery, User, Webhook
from boards.registry.accounts.tokens import create_token
from boards.registry.database import DatabaseRegistry
from boards.registry.webhooks.deliveries import Attempt, Outcome, lease_due, record_attempts
from obeya.tokens import Scope
from tests.views.page_text import text_of
from tests.views.people import person

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
LIST = "/settings/webhooks/"
FORM = {"name": "ci", "target": "webhook", "address": "https://ci.example.org/hook"}


@pytest.fixture
def admin(client_of: ClientOf, alice: User) -> Client:
    """Return an administrator's browser."""
    return client_of(alice)


@pytest.fixture
def address(admin: Client) -> str:
    """Return the path of an endpoint's page."""
    admin.post(LIST, FORM)
    return f"{LIST}{Webhook.objects.get().uid}/"


def attempt(**outcome: Any) -> None:
    at = timezone.now()
    for leased in lease_due(limit=100, per_webhook=100, seconds=60, at=at):
        record_attempts(
            [Attempt(leased=leased, outcome=Outcome(milliseconds=7, **outcome), made_at=at)]
        )


def test_an_empty_list_says_what_an_endpoint_is(admin: Client) -> None:
    assert "There are no endpoints yet." in text_of(admin.get(LIST))
    assert 'href="/settings/webhooks/"' in text_of(admin.get("/settings/tokens/"))


def test_a_similar_name_can_be_allowed_after_the_refusal(admin: Client, address: str) -> None:
    assert "Allow a similar name" not in text_of(admin.get(LIST))
    refused = admin.post(LIST, FORM | {"name": "CI"})
    assert refused.status_code == 409
    assert "looks like the existing “ci”. Use the existing one.<" in text_of(refused)
    assert "Allow a similar name" in text_of(refused)
    admin.post(LIST, FORM | {"name": "CI", "allow_similar": "on"})
    assert Webhook.objects.count() == 2


def test_creating_an_endpoint_shows_its_secret_once(admin: Client) -> None:
    answer = admin.post(
        LIST,
        {**FORM, "type": ["alias.set"], "models": "fraud-*\nbert", "stage": ["production"]},
    )
    assert "no-store" in answer["Cache-Control"]
    made = text_of(answer)
    found = re.search(r"data-secret[^>]*>(whsec_[A-Za-z0-9+/=]+)<", made)
    assert found
    row = Webhook.objects.get()
    assert (row.types, row.model_globs, row.stages) == (
        ["alias.set"],
        ["fraud-*", "bert"],
        ["production"],
    )
    for later in (LIST, f"{LIST}{row.uid}/"):
        assert found[1] not in text_of(admin.get(later))
    assert admin.get(LIST)["Cache-Control"] == "private, no-cache"
    # The form shows the whole address, which for a chat is a secret.
    assert "no-store" in admin.get(f"{LIST}{row.uid}/")["Cache-Control"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"address": "nothing"}, "address"),
        ({"address": "https://user:pass@example.org/"}, "address"),
        ({"address": "http://10.0.0.1/"}, "address"),
        ({"address": "http://a..example/"}, "address"),
        ({"target": "pigeon"}, "target"),
        ({"target": "email", "address": "ops@example.org"}, "target"),
        ({"type": ["moved"]}, "type"),
        ({"models": "a/b"}, "models"),
        ({"stage": ["live"]}, "stage"),
    ],
)
def test_an_error_is_shown_beside_its_field_and_nothing_typed_is_lost(
    admin: Client, wrong: dict[str, Any], field: str
) -> None:
    answer = admin.post(LIST, {**FORM, "models": "fraud-*", **wrong})
    text = text_of(answer)
    assert answer.status_code == 400
    assert "field-error" in text
    assert f'id="endpoint-{field}_error"' in text
    if field != "models":
        assert "fraud-*" in text
    assert not Webhook.objects.exists()


def test_a_name_that_resolves_to_a_private_address_is_saved_with_a_warning(
    admin: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, *_: Any, **__: Any) -> Any:
        if host == "down.example.org":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.9", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    warning = "Deliveries to this endpoint fail: ci.example.org resolves to 10.0.0.9"
    assert warning in text_of(admin.post(LIST, FORM))
    row = Webhook.objects.get()
    changed = {**FORM, "name": "deploy", "revision": "1"}
    answer = admin.post(f"{LIST}{row.uid}/", changed, follow=True)
    assert warning in text_of(answer)
    down = {**FORM, "name": "down", "address": "https://down.example.org/"}
    assert "Deliveries to this endpoint fail" not in text_of(admin.post(LIST, down))

    _, token = create_token(
        user=alice, name="ci", scopes=[Scope.ADMIN], actor=SYSTEM, at=timezone.now()
    )
    bearer = {"Authorization": f"Bearer {token}"}
    hook = {"name": "api", "address": FORM["address"]}
    told = {"headers": bearer, "content_type": "application/json"}
    made = admin.post("/api/v1/webhooks", hook, **told)
    assert (made.status_code, warning in made.json()["warnings"][0]) == (201, True)
    at = f"/api/v1/webhooks/{made.json()['id']}"
    assert warning in admin.put(at, hook, **told).json()["warnings"][0]
    private = admin.put(at, {**hook, "address": "http://192.88.99.1/"}, **told)
    assert (private.status_code, private.json()["field"]) == (400, "address")


def test_a_duplicate_name_is_reported(admin: Client, address: str) -> None:
    answer = admin.post(LIST, FORM)
    assert answer.status_code == 409
    assert "An endpoint with this name already exists." in text_of(answer)


def test_an_endpoint_is_changed_and_a_stale_page_changes_nothing(
    admin: Client, address: str
) -> None:
    assert admin.post(address, {**FORM, "name": "deploy", "revision": "1"}).status_code == 302
    stale = admin.post(address, {**FORM, "name": "other", "revision": "1"})
    assert stale.status_code == 409
    assert "This endpoint was changed in the meantime" in text_of(stale)
    assert Webhook.objects.get().name == "deploy"


def test_an_endpoint_is_tested_disabled_enabled_and_removed(admin: Client, address: str) -> None:
    for deed in ("test", "disable", "enable", "remove"):
        assert admin.post(f"{address}{deed}/").status_code == 302
        assert admin.get(f"{address}{deed}/").status_code == 405
    assert admin.get(address).status_code == 404
    actions = AuditEvent.objects.filter(action__startswith="webhook.").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "webhook.created",
        "webhook.disabled",
        "webhook.enabled",
        "webhook.removed",
    ]
    assert "removed a webhook endpoint" in text_of(admin.get("/audit/"))


def test_a_new_secret_is_shown_once(admin: Client, address: str) -> None:
    answer = admin.post(f"{address}secret/", {"overlap_hours": "24"})
    assert "data-secret" in text_of(answer)
    shown = text_of(admin.get(address))
    assert "data-secret" not in shown
    assert "The old secret is valid until" in shown
    assert admin.post(f"{address}secret/", {"overlap_hours": "x"}).status_code == 400


def test_deliveries_are_listed_by_state_and_paged(
    admin: Client, address: str, registry: DatabaseRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boards.views.webhooks.webhooks.PAGE", 3)
    attempt(status_code=204)
    for _ in range(3):
        registry.register_model("resnet50")
    text = text_of(admin.get(address))
    assert "Older deliveries" in text
    older = re.search(r'href="([^"]+before=\d+)"', text)
    assert older
    assert "Back to the newest" in text_of(admin.get(older[1].replace("&amp;", "&")))
    delivered = text_of(admin.get(f"{address}?status=delivered"))
    assert delivered.count(">delivered<") == 1
    assert "No failed deliveries." in text_of(admin.get(f"{address}?status=failed"))
    for nonsense in ("?status=x", "?before=x", "?before=99999999999999999999"):
        assert admin.get(address + nonsense).status_code == 200


def test_a_delivery_shows_what_was_sent_and_what_came_back(admin: Client, address: str) -> None:
    attempt(status_code=500, response="<script>alert(1)</script>", request_headers={"a": "b"})
    attempt_page = f"/settings/deliveries/{Delivery.objects.get().pk}/"
    text = text_of(admin.get(attempt_page))
    assert "HTTP 500" in text
    assert "&lt;script&gt;" in text
    assert "webhook.created" in text
    assert admin.post(f"{attempt_page}replay/").status_code == 302
    assert Delivery.objects.get().attempts_made == 0
    assert admin.get("/settings/deliveries/4711/").status_code == 404
    assert admin.post("/settings/deliveries/4711/replay/").status_code == 404


def test_a_failing_and_a_disabled_endpoint_say_so(admin: Client, address: str) -> None:
    attempt(error="ci.example.org cannot be reached: refused.")
    assert "If none succeeds by" in text_of(admin.get(address))
    assert "failing since" in text_of(admin.get(LIST))
    admin.post(f"{address}test/")
    attempt(status_code=410)
    shown = text_of(admin.get(address))
    assert "The receiver answered 410 (Gone)." in shown
    assert "Enable" in shown


def test_failed_deliveries_are_sent_again(admin: Client, address: str) -> None:
    Delivery.objects.update(status="failed", next_attempt_at=None)
    answer = admin.post(f"{address}replay/", {"days": "1"}, follow=True)
    assert "1 delivery queued." in text_of(answer)
    assert admin.post(f"{address}replay/", {"days": "0"}).status_code == 400


@pytest.mark.parametrize("group", ["viewer", "contributor", "promoter", "approver"])
def test_webhooks_are_only_for_administrators(
    admin: Client, address: str, client_of: ClientOf, group: str
) -> None:
    other = client_of(person("other", group))
    pk = Delivery.objects.order_by("pk")[0].pk
    for path in (LIST, address, f"/settings/deliveries/{pk}/"):
        assert other.get(path).status_code == 403
    deeds = ["", "secret/", "replay/", "enable/", "disable/", "test/", "remove/"]
    for path in [LIST, *(address + deed for deed in deeds), f"/settings/deliveries/{pk}/replay/"]:
        assert other.post(path, FORM).status_code == 403
    assert Client().get(LIST).status_code == 302
    assert "settings/webhooks" not in text_of(other.get("/settings/tokens/"))


def test_no_such_endpoint_is_a_404(admin: Client) -> None:
    nowhere = f"{LIST}{uuid.uuid4()}/"
    assert admin.get(nowhere).status_code == 404
    for deed in ("", "secret/", "test/", "remove/"):
        assert admin.post(nowhere + deed, {**FORM, "overlap_hours": "1"}).status_code == 404


def test_the_lists_take_a_fixed_number_of_statements(
    admin: Client, address: str, alice: User, registry: DatabaseRegistry
) -> None:
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as one:
            admin.get(LIST)
            admin.get(address)
        counts.append(len(one))
        for number in range(10):
            admin.post(LIST, {**FORM, "name": f"endpoint {number}"})
            registry.register_model("resnet50")
    assert counts[0] == counts[1]
