"""Sign-ins, counts of failed ones, addresses of tokens and downloads as events."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connections

from boards.access.actors import SYSTEM, Actor
from boards.access.address_hashes import address_hash, address_hashes
from boards.models import AuditEvent, FailedSignIns, TokenAddress
from boards.registry.accounts import sign_ins, token_addresses
from boards.registry.accounts.sign_ins import (
    OTHERS,
    WINDOW,
    end_failed_sign_ins,
    record_failed_sign_in,
    record_link_use,
    record_sign_in,
)
from boards.registry.accounts.token_addresses import forget_token_addresses, record_token_use
from boards.registry.accounts.tokens import create_token, revoke_token
from boards.registry.accounts.users import create_user
from boards.worker.chores import CHORES_EVERY, do_chores
from obeya.records import Channel
from tests.offenders import every_case

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"


def fail(username, *, address=HOME, at=NOON):
    record_failed_sign_in(username=username, address=address, at=at)


def test_a_sign_in_and_the_use_of_a_link_are_events_of_the_account(carol, new_events):
    record_sign_in(user=carol, address=HOME, at=NOON)
    record_link_use(user=carol, token="secret", address=HOME, at=NOON)
    events = new_events()
    assert [event.action for event in events] == ["user.signed_in", "user.link_used"]
    assert set(events[1].data) == {"address", "link_digest"}
    for event in events:
        assert (event.actor, event.channel, event.model) == (carol, "page", None)
        assert event.data["address"] == address_hash(HOME)
        for hidden in (HOME, "secret"):
            assert hidden not in event.canonical_text


def test_addresses_are_hashed_with_the_key_of_the_installation(settings):
    with every_case() as case:
        for one, other, are_equal in (
            (HOME, HOME, True),
            (HOME, ELSEWHERE, False),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            ("", "", True),
        ):
            with case(f"{one} and {other}"):
                assert (address_hash(one) == address_hash(other)) is are_equal
    before = address_hash(HOME)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert address_hash(HOME) != before
    assert address_hashes(HOME)[1:] == [before]


# --- Failed sign-ins ------------------------------------------------------------------------------


def test_failed_sign_ins_to_an_account_are_two_events_in_15_minutes(carol, new_events):
    for seconds in range(40):
        # The account is found as the sign-in finds it, ignoring case; the address does not matter.
        address = ELSEWHERE if seconds % 2 else HOME
        fail("CAROL" if seconds % 3 else "carol", address=address, at=NOON + seconds * SECOND)
    (first,) = new_events()
    assert (first.action, first.actor, first.occurred_at) == ("user.sign_in_failed", None, NOON)
    assert first.data == {"user": str(carol.uid), "address": address_hash(HOME)}

    assert end_failed_sign_ins(at=NOON + WINDOW - SECOND) == NOON + WINDOW
    assert new_events() == []
    assert end_failed_sign_ins(at=NOON + 2 * WINDOW) is None
    (count,) = new_events()
    assert (count.action, count.occurred_at) == ("user.sign_ins_failed", NOON + WINDOW)
    assert count.data == {"user": str(carol.uid), "failures": 40}
    assert not FailedSignIns.objects.exists()
    assert end_failed_sign_ins(at=NOON + 3 * WINDOW) is None
    assert new_events() == []


def test_failures_for_unknown_names_are_counted_by_address_and_never_name_them(db, new_events):
    for name in ("correct horse battery staple", "nobody", ""):
        fail(name)
    fail("nobody", address=ELSEWHERE)
    end_failed_sign_ins(at=NOON + WINDOW)
    events = new_events()
    first, second = address_hash(HOME), address_hash(ELSEWHERE)
    assert [event.data for event in events] == [
        {"user": None, "address": first},
        {"user": None, "address": second},
        {"user": None, "address": first, "failures": 3},
        {"user": None, "address": second, "failures": 1},
    ]
    stored = " ".join(event.canonical_text for event in events)
    for secret in ("horse", "nobody", HOME, ELSEWHERE):
        assert secret not in stored


def test_a_failure_after_the_15_minutes_ends_them_if_no_worker_did(carol, new_events):
    fail("carol")
    fail("carol", at=NOON + WINDOW)
    actions = [(event.action, event.occurred_at) for event in new_events()]
    assert actions == [
        ("user.sign_in_failed", NOON),
        ("user.sign_ins_failed", NOON + WINDOW),
        ("user.sign_in_failed", NOON + WINDOW),
    ]
    assert FailedSignIns.objects.get().count == 1


def test_an_attacker_with_many_addresses_fills_neither_the_log_nor_the_table(
    carol, new_events, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(sign_ins, "ADDRESSES_MAX", 3)
    for number in range(20):
        fail("nobody", address=f"203.0.113.{number}")
    assert [event.data["address"] for event in new_events()] == [
        *(address_hash(f"203.0.113.{number}") for number in range(3)),
        OTHERS,
    ]
    assert FailedSignIns.objects.get(subject=OTHERS).count == 17
    # A known account is always counted separately: such a flood does not hide an attack on it.
    fail("carol", address="203.0.113.99")
    assert new_events()[0].data["user"] == str(carol.uid)
    with django_assert_max_num_queries(4):
        fail("nobody", address="203.0.113.98")
    with django_assert_max_num_queries(2):
        fail("carol", address="203.0.113.98")
    assert new_events() == []


def test_the_worker_counts_when_the_15_minutes_end(carol, new_events):
    assert do_chores(NOON) == NOON + CHORES_EVERY
    fail("carol", at=NOON + SECOND)
    # It looks more often than every 15 minutes, so it knows of each end before it comes.
    assert do_chores(NOON + CHORES_EVERY) == NOON + SECOND + WINDOW
    assert do_chores(NOON + SECOND + WINDOW) == NOON + SECOND + WINDOW + CHORES_EVERY
    assert [e.action for e in new_events()] == ["user.sign_in_failed", "user.sign_ins_failed"]


def test_more_counts_than_one_batch_are_all_written(new_events, monkeypatch, db):
    monkeypatch.setattr(sign_ins, "ENDED_AT_ONCE", 2)
    for number in range(3):
        fail("nobody", address=f"203.0.113.{number}")
    new_events()
    at = NOON + WINDOW
    assert do_chores(at) == at
    assert do_chores(at) == at + CHORES_EVERY
    assert len(new_events()) == 3


@pytest.mark.django_db(transaction=True)
def test_concurrent_first_failures_are_one_event_and_each_is_counted():
    create_user(username="carol", group="viewer", actor=SYSTEM, at=NOON)
    barrier = Barrier(6)

    def attempt(_):
        try:
            barrier.wait(60)
            fail("carol")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(attempt, range(6)))
    assert AuditEvent.objects.filter(action="user.sign_in_failed").count() == 1
    assert FailedSignIns.objects.get().count == 6


# --- Addresses of tokens --------------------------------------------------------------------------


@pytest.fixture
def token(carol):
    actor = Actor(carol, Channel.PAGE)
    row, _ = create_token(user=carol, name="CI", scopes=["read"], actor=actor, at=NOON)
    return row


def use(token, address, at=NOON):
    record_token_use(token=token, address=address, channel=Channel.API, at=at)


def test_the_first_use_of_a_token_from_each_address_is_an_event(token, carol, new_events, settings):
    new_events()
    for address in (HOME, HOME, ELSEWHERE, HOME):
        use(token, address)
    events = new_events()
    assert [event.data for event in events] == [
        {"token": str(token.uid), "address": address_hash(HOME)},
        {"token": str(token.uid), "address": address_hash(ELSEWHERE)},
    ]
    for event in events:
        assert event.action == "api_token.used_from_new_address"
        assert (event.actor, event.channel) == (carol, "api")
        assert event.texts.get(role="name").text == "CI"

    # A new secret key does not make known addresses new, as long as the old one is a fallback.
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    use(token, HOME)
    assert new_events() == []


def test_a_token_remembers_a_limited_number_of_addresses(token, new_events, monkeypatch):
    monkeypatch.setattr(token_addresses, "ADDRESSES_MAX", 3)
    new_events()
    for number in range(5):
        use(token, f"203.0.113.{number}", at=NOON + number * SECOND)
    assert len(new_events()) == 5
    assert TokenAddress.objects.count() == 3
    use(token, "203.0.113.4")
    assert new_events() == []


@pytest.mark.parametrize("over", ["revoked", "expired"])
def test_the_addresses_of_a_token_are_deleted_when_it_ends(over, token, carol):
    use(token, HOME)
    forget_token_addresses(at=NOON)
    assert TokenAddress.objects.count() == 1
    if over == "revoked":
        revoke_token(uid=token.uid, actor=Actor(carol, Channel.PAGE), at=NOON)
    do_chores(token.expires_at if over == "expired" else NOON)
    assert not TokenAddress.objects.exists()
