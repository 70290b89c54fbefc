"""Accounts, passwords and sign-in links."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.contrib.auth.models import Permission as PermissionRow

from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import GROUPS, Permission, has_permission
from boards.models import OneTimeLink, User
from boards.queries.facts.accounts.account_permissions import account_permissions
from boards.registry.accounts.users import (
    anyone_has_password,
    create_sign_in_link,
    create_user,
    record_user_change,
    set_password,
    use_sign_in_link,
)
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed
from obeya.records import Channel

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def create(alice):
    def make(username="dora", group="contributor", *, by=alice, **more):
        return create_user(
            username=username, group=group, actor=Actor(by, Channel.CLI), at=NOON, **more
        )

    return make


def test_an_account_is_one_event_that_names_it_by_its_id(create, new_events, alice):
    dora = create(email="dora@example.org")

    (event,) = new_events()
    assert (event.action, event.actor, event.channel) == ("user.created", alice, "cli")
    assert event.model is None
    flags = {"is_staff": False, "is_superuser": False}
    assert event.data == {"user": str(dora.uid), "group": "contributor", **flags}
    assert [(text.role, text.text) for text in event.texts.all()] == [("username", "dora")]
    assert "dora" not in event.canonical_text
    stored = User.objects.get(username="dora")
    assert (stored.email, stored.date_joined) == ("dora@example.org", NOON)
    assert list(stored.groups.values_list("name", flat=True)) == ["contributor"]


@pytest.mark.parametrize("group", list(GROUPS))
def test_an_account_has_the_permissions_of_its_group_and_no_other(group, create):
    made = User.objects.get(pk=create(group=group).pk)
    assert {permission for permission in Permission if has_permission(made, permission)} == set(
        GROUPS[group]
    )
    assert made.is_staff == made.is_superuser == (group == "administrator")


def test_the_migrated_groups_have_their_permissions(db):
    for name, permissions in GROUPS.items():
        held = Group.objects.get(name=name).permissions.values_list("codename", flat=True)
        assert {permission.value for permission in permissions} <= set(held)


def test_an_inactive_account_holds_no_permission(create):
    made = create(group="administrator")
    made.is_active = False
    assert not any(has_permission(made, permission) for permission in Permission)


def test_an_account_without_a_password_cannot_sign_in_with_one(create):
    made = create()
    assert not made.has_usable_password()
    assert not made.check_password("")
    assert not anyone_has_password()


def test_a_password_is_kept_as_a_hash(create):
    made = create(password="correct horse battery staple")
    assert made.check_password("correct horse battery staple")
    assert "correct horse" not in made.password
    assert anyone_has_password()


def test_the_password_of_an_inactive_account_is_refused(create):
    made = create(password="correct horse battery staple")
    User.objects.filter(pk=made.pk).update(is_active=False)
    assert not anyone_has_password()


def test_names_are_unique_ignoring_case(create, whole_database):
    create()
    before = whole_database()
    with pytest.raises(AlreadyExists) as refused:
        create("DORA")
    assert refused.value.field == "username"
    assert whole_database() == before


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "system"}, "username"),
        ({"username": " System"}, "username"),
        ({"username": "\uff33\uff39STEM"}, "username"),
        ({"group": "owner"}, "group"),
        ({"email": "nowhere"}, "email"),
        ({"email": f"{'x' * 250}@example.org"}, "email"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_invalid_account_is_refused(more, field, create, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        create(**more)
    assert refused.value.field == field
    assert whole_database() == before


def test_only_administrators_create_accounts(create, peter, whole_database):
    before = whole_database()
    with pytest.raises(NotAllowed):
        create(by=peter)
    assert whole_database() == before


def test_the_registry_itself_creates_the_first_account(db, new_events):
    create_user(username="admin", group="administrator", actor=SYSTEM, at=NOON)
    (event,) = new_events()
    assert (event.actor, event.sequence) == (None, 1)


def test_a_change_of_an_account_is_one_event_that_names_columns_and_never_values(
    new_events, alice, carol
):
    record_user_change(
        user=carol,
        made=False,
        fields=("first_name", "email"),
        before=account_permissions(carol),
        actor=Actor(alice, Channel.PAGE),
        at=NOON,
    )
    (event,) = new_events()
    assert (event.action, event.actor, event.model) == ("user.changed", alice, None)
    assert event.data == {"user": str(carol.uid), "fields": ["email", "first_name"]}


def test_changes_of_permissions_are_recorded_with_their_new_values(new_events, alice, carol):
    before = account_permissions(carol)
    carol.is_superuser, carol.is_active = True, False
    carol.groups.set(Group.objects.filter(name__in=["viewer", "approver"]))
    carol.user_permissions.set(PermissionRow.objects.filter(codename="promote"))
    record_user_change(
        user=carol,
        made=False,
        fields=("is_superuser", "is_active", "groups", "user_permissions"),
        before=before,
        actor=Actor(alice, Channel.PAGE),
        at=NOON,
    )
    (event,) = new_events()
    assert event.data == {
        "user": str(carol.uid),
        "fields": ["groups", "is_active", "is_superuser", "user_permissions"],
        "is_active": False,
        "is_superuser": True,
        "groups_added": ["approver", "viewer"],
        "groups_removed": ["contributor"],
        "permissions_added": ["boards.promote"],
    }


# --- Passwords ------------------------------------------------------------------------------------


def test_ones_own_password_is_set_with_one_event_and_never_its_value(new_events, carol):
    set_password(user=carol, password=PASSPHRASE, actor=Actor(carol, Channel.PAGE), at=NOON)
    (event,) = new_events()
    assert (event.action, event.actor, event.channel) == ("user.changed", carol, "page")
    assert event.data == {"user": str(carol.uid), "fields": ["password"]}
    stored = User.objects.get(pk=carol.pk)
    assert stored.check_password(PASSPHRASE)
    assert stored.password not in event.canonical_text


def test_only_an_administrator_sets_the_password_of_another(whole_database, alice, peter, carol):
    before = whole_database()
    with pytest.raises(NotAllowed):
        set_password(user=carol, password=PASSPHRASE, actor=Actor(peter, Channel.PAGE), at=NOON)
    assert whole_database() == before
    set_password(user=carol, password=PASSPHRASE, actor=Actor(alice, Channel.PAGE), at=NOON)
    assert User.objects.get(pk=carol.pk).check_password(PASSPHRASE)


def test_setting_a_password_revokes_only_the_links_of_its_account(carol, peter, alice):
    own = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    other = create_sign_in_link(user=peter, actor=SYSTEM, at=NOON)
    set_password(user=carol, password=PASSPHRASE, actor=Actor(carol, Channel.PAGE), at=NOON)
    assert use_sign_in_link(token=own, at=NOON) is None
    assert use_sign_in_link(token=other, at=NOON) == peter


# --- Sign-in links --------------------------------------------------------------------------------


def test_a_link_signs_in_once(carol):
    token = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    assert use_sign_in_link(token=token, at=NOON + INSTANT) == carol
    assert use_sign_in_link(token=token, at=NOON + 2 * INSTANT) is None


def test_a_link_is_one_event_with_the_account_and_without_the_token(new_events, alice, carol):
    token = create_sign_in_link(user=carol, actor=Actor(alice, Channel.CLI), at=NOON)
    (event,) = new_events()
    assert (event.action, event.actor, event.channel) == ("user.link_made", alice, "cli")
    assert event.data["user"] == str(carol.uid)
    assert event.data["expires_at"] == "2026-03-04T12:00:00.000000Z"
    for secret in (token, OneTimeLink.objects.get().token_hash):
        assert secret not in event.canonical_text


def test_only_administrators_create_links(peter, carol, whole_database):
    before = whole_database()
    with pytest.raises(NotAllowed):
        create_sign_in_link(user=carol, actor=Actor(peter, Channel.PAGE), at=NOON)
    assert whole_database() == before


def test_a_link_expires_after_a_day(carol):
    token = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    assert use_sign_in_link(token=token, at=NOON + DAY) is None
    assert use_sign_in_link(token=token, at=NOON + DAY - INSTANT) == carol


def test_only_the_hash_of_a_link_is_stored(carol, whole_database):
    token = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    assert token not in str(whole_database())
    assert OneTimeLink.objects.get().token_hash == hashlib.sha256(token.encode()).hexdigest()


def test_the_stored_hash_is_not_a_valid_link(carol):
    create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    assert use_sign_in_link(token=OneTimeLink.objects.get().token_hash, at=NOON) is None


def test_a_new_link_revokes_only_older_links_of_the_same_account(carol, peter):
    old = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    other = create_sign_in_link(user=peter, actor=SYSTEM, at=NOON)
    new = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    assert use_sign_in_link(token=old, at=NOON) is None
    assert use_sign_in_link(token=new, at=NOON) == carol
    assert use_sign_in_link(token=other, at=NOON) == peter


def test_a_link_of_an_inactive_account_is_refused(carol):
    token = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
    User.objects.filter(pk=carol.pk).update(is_active=False)
    assert use_sign_in_link(token=token, at=NOON) is None


@pytest.mark.parametrize("token", ["", "nothing", "é\x00", "x" * 10_000], ids=lambda t: t[:8])
def test_an_unknown_link_is_refused(token, db):
    assert use_sign_in_link(token=token, at=NOON) is None


def test_links_are_unique(carol):
    assert len({create_sign_in_link(user=carol, actor=SYSTEM, at=NOON) for _ in range(50)}) == 50
