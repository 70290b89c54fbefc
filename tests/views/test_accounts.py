"""Signing in and out, the sign-in link, the password and the theme."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.first_sign_in import first_administrator, one_time_link_path
from boards.models import AuditEvent, User
from boards.registry.accounts.users import anyone_has_password, create_sign_in_link
from tests.views.page_text import text_of
from tests.views.people import person

pytestmark = pytest.mark.django_db

OLD, NEW = "a long sentence 7", "another sentence 8"


def first_link() -> str:
    account = first_administrator()
    assert account is not None
    return one_time_link_path(account, actor=SYSTEM)


def test_the_first_link_signs_in_as_admin_once_and_asks_for_a_password(client: Client) -> None:
    path = first_link()
    assert client.get(path).status_code == 200
    answer = client.post(path)
    assert answer.headers["Location"] == "/password/"
    assert client.get("/").status_code == 200
    again = Client().post(path)
    assert again.status_code == 403
    assert "was already used or has expired" in text_of(again)


def test_opening_the_link_does_not_use_it_up(client: Client) -> None:
    path = first_link()
    for _ in range(3):
        assert client.get(path).status_code == 200
    assert client.post(path).status_code == 302


def test_a_user_of_the_first_link_sets_a_password_and_signs_in_with_it(
    client: Client,
) -> None:
    client.post(first_link())
    answer = client.post("/password/", {"new_password1": OLD, "new_password2": OLD})
    assert answer.headers["Location"] == "/"
    assert client.get("/").status_code == 200
    assert anyone_has_password()
    form = {"username": "admin", "password": OLD}
    assert Client().post("/sign-in/", form).headers["Location"] == "/"


def test_a_new_password_requires_the_old_one_if_there_is_one(
    client_of: Callable[[User], Client], alice: User
) -> None:
    alice.set_password(OLD)
    alice.save()
    client = client_of(alice)
    assert 'autocomplete="current-password"' in text_of(client.get("/password/"))
    both = {"new_password1": NEW, "new_password2": NEW}
    for old in ({}, {"old_password": ""}, {"old_password": "wrong"}):
        refused = client.post("/password/", {**both, **old})
        assert refused.status_code == 400
        assert 'aria-describedby="id_old_password_error"' in text_of(refused)
    alice.refresh_from_db()
    assert alice.check_password(OLD)
    assert client.post("/password/", {**both, "old_password": OLD}).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert client.get("/").status_code == 200


def test_ones_own_new_password_is_an_event_and_ends_links(
    client_of: Callable[[User], Client], victor: User
) -> None:
    link = one_time_link_path(victor, actor=SYSTEM)
    client_of(victor).post("/password/", {"new_password1": OLD, "new_password2": OLD})
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor, event.channel) == ("user.changed", victor, "page")
    assert event.data["fields"] == ["password"]
    assert Client().post(link).status_code == 403


def test_an_empty_form_says_what_is_missing(
    client_of: Callable[[User], Client], alice: User
) -> None:
    answer = client_of(alice).post("/password/", {})
    assert answer.status_code == 400
    assert "This field is required." in text_of(answer)


def test_the_admin_leads_to_the_same_page_for_ones_own_password(
    client_of: Callable[[User], Client], alice: User
) -> None:
    client = client_of(alice)
    for ask in (client.get, client.post):
        assert ask("/admin/password_change/").headers["Location"] == "/password/"


# --- The first administrator ----------------------------------------------------------------------


def test_the_first_administrator_is_created_if_there_is_none() -> None:
    account = first_administrator()
    assert account is not None
    assert (account.username, account.is_superuser) == ("admin", True)
    assert first_administrator() == account


def test_the_first_administrator_is_found_ignoring_case(alice: User) -> None:
    made = person("Admin", "administrator")
    assert first_administrator() == made


def test_another_administrator_is_chosen_if_admin_is_not_one(alice: User) -> None:
    person("admin", "viewer")
    assert first_administrator() == alice


def test_an_administrator_through_the_group_counts(db: None) -> None:
    person("admin", "viewer")
    gina = person("gina", "viewer")
    gina.groups.set(Group.objects.filter(name="administrator"))
    assert first_administrator() == gina


@pytest.mark.parametrize("state", ["a viewer", "inactive"])
def test_without_an_active_administrator_no_one_is_chosen(state: str) -> None:
    admin = person("admin", "viewer" if state == "a viewer" else "administrator")
    if state == "inactive":
        admin.is_active = False
        admin.save()
    before = list(User.objects.values())
    assert first_administrator() is None
    assert list(User.objects.values()) == before


# --- Passwords and sessions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("short", "short", "too short"),
        ("a long sentence 7", "another sentence 8", "match"),
        ("1234567890123", "1234567890123", "numeric"),
    ],
)
def test_a_weak_password_is_refused_beside_the_field(
    client_of: Callable[[User], Client], alice: User, first: str, second: str, says: str
) -> None:
    answer = client_of(alice).post("/password/", {"new_password1": first, "new_password2": second})
    assert answer.status_code == 400
    assert says in text_of(answer)


def test_a_password_signs_in_and_next_stays_on_this_site(client: Client, alice: User) -> None:
    alice.set_password("a long sentence 7")
    alice.save()
    form = {"username": "alice", "password": "a long sentence 7"}
    away = client.post("/sign-in/?next=https://elsewhere.example/", form)
    assert away.headers["Location"] == "/"
    client.post("/sign-out/")
    here = client.post("/sign-in/", {**form, "next": "/audit/"})
    assert here.headers["Location"] == "/audit/"


def test_the_session_id_changes_at_sign_in(client: Client, alice: User) -> None:
    client.get("/sign-in/")
    session = client.session
    session["something"] = 1
    session.save()
    before = client.session.session_key
    path = one_time_link_path(alice, actor=SYSTEM)
    client.post(path)
    assert client.session.session_key != before


def test_a_failed_sign_in_does_not_say_which_part_is_wrong(client: Client, alice: User) -> None:
    answers = [
        text_of(client.post("/sign-in/", {"username": name, "password": "wrong"}))
        for name in ("alice", "nobody")
    ]
    assert all('role="alert"' in answer for answer in answers)


def test_the_eleventh_bad_sign_in_is_refused_temporarily(client: Client, alice: User) -> None:
    form = {"username": "alice", "password": "wrong"}
    statuses = [client.post("/sign-in/", form).status_code for _ in range(11)]
    assert statuses[-1] == 429
    assert statuses[0] == 200


def test_signing_out_ends_the_session(client_of: Callable[[User], Client], alice: User) -> None:
    client = client_of(alice)
    assert client.get("/sign-out/").status_code == 405
    client.post("/sign-out/")
    assert client.get("/").headers["Location"].startswith("/sign-in/")


def test_the_theme_is_stored_and_can_follow_the_system_again(
    client_of: Callable[[User], Client], alice: User
) -> None:
    client = client_of(alice)
    client.post("/theme/", {"theme": "dark", "next": "/"})
    assert 'data-theme="dark"' in text_of(client.get("/"))
    client.post("/theme/", {"theme": "system", "next": "/"})
    assert "data-theme=" not in text_of(client.get("/"))
    away = client.post("/theme/", {"theme": "dark", "next": "https://elsewhere.example/"})
    assert away.headers["Location"] == "/"


def test_a_token_is_stored_as_its_hash_only(alice: User) -> None:
    token = create_sign_in_link(user=alice, actor=SYSTEM, at=timezone.now())
    assert alice.one_time_links.get().token_hash != token
    assert token not in str(alice.one_time_links.values_list())
