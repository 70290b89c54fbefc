"""The page of an account's API tokens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from boards.models import ApiToken, AuditEvent, User

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
PAGE = "/settings/tokens/"


def form(**changed: object) -> dict[str, object]:
    return {"name": "CI", "scope": ["read", "write"], "models": "", "days": "30", **changed}


def text_of(page: str) -> str:
    found = re.search(r"data-token>(obeya_\w+)<", page)
    assert found
    return found[1]


def test_a_token_is_shown_once_and_gives_access(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    made = client.post(PAGE, form())
    token = text_of(made.content.decode())
    assert "no-store" in made["Cache-Control"]
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["account"] == alice.username
    later = client.get(PAGE)
    assert later["Cache-Control"] == "private, no-cache"
    again = later.content.decode()
    assert token not in again
    assert token[:12] in again
    assert AuditEvent.objects.filter(action="api_token.created").count() == 1


def test_a_revoked_token_gives_no_access(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    token = text_of(client.post(PAGE, form()).content.decode())
    row = ApiToken.objects.get()
    assert client.post(f"{PAGE}{row.uid}/revoke/").status_code == 302
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.status_code == 401
    page = client.get(PAGE).content.decode()
    assert "Expired or revoked (1)" in page


@pytest.mark.parametrize(
    ("changed", "sentence", "field"),
    [
        ({"name": " "}, "cannot be empty", "token-name_error"),
        ({"scope": []}, "Choose at least one scope", "token-scope_error"),
        ({"scope": ["everything"]}, "is not a scope", "token-scope_error"),
        ({"models": "a/b"}, "cannot contain", "token-models_error"),
        ({"days": "0"}, "valid for 1 to 366 days", "token-days_error"),
        ({"days": "x"}, "valid for 1 to 366 days", "token-days_error"),
    ],
)
def test_an_error_is_shown_beside_its_field_and_nothing_is_created(
    changed: dict[str, object], sentence: str, field: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(PAGE, form(**changed))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in page
    assert f'id="{field}"' in page
    assert not ApiToken.objects.exists()


def test_scopes_are_limited_to_the_permissions_of_the_account(
    victor: User, client_of: ClientOf
) -> None:
    client = client_of(victor)
    assert client.get(PAGE).content.decode().count("your account does not have the permission") == 4
    answer = client.post(PAGE, form(scope=["promote"]))
    assert answer.status_code == 400
    assert "victor does not have the permissions" in answer.content.decode()


def test_tokens_of_others_are_not_found(alice: User, victor: User, client_of: ClientOf) -> None:
    client_of(alice).post(PAGE, form())
    row = ApiToken.objects.get()
    client = client_of(victor)
    assert row.name not in client.get(PAGE).content.decode().split("New token")[0]
    assert client.post(f"{PAGE}{row.uid}/revoke/").status_code == 404
    assert ApiToken.objects.get().revoked_at is None


def test_the_public_reference_lists_every_operation(client: Client) -> None:
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    for operation in ("register_version", "transition_version", "list_events", "waive"):
        assert f'id="{operation}"' in page.content.decode()
