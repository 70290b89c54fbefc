"""Limits on wrong passwords: per account and address, per account, per address."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from boards.access import passwords
from boards.access.passwords import HashingSlots
from boards.models import PasswordAttempts
from boards.registry.accounts.password_attempts import (
    ACCOUNT_FROM_ADDRESS_MAX,
    ACCOUNT_MAX,
    ADDRESS_MAX,
    KNOWN_FACTOR,
    KNOWN_FOR,
    WINDOW,
    attempted,
)
from obeya.errors import TooManyRequests

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOME, OFFICE = "192.0.2.1", "2001:db8::1"


def wrong(username="alice", address=HOME, at=NOON):
    assert attempted(username=username, address=address, at=at, check=lambda: None) is None


def right(username="alice", address=HOME, at=NOON):
    assert attempted(username=username, address=address, at=at, check=lambda: "in") == "in"


def refused(username="alice", address=HOME, at=NOON):
    """Return the error for an attempt, whose password is not checked."""
    with pytest.raises(TooManyRequests) as caught:
        attempted(username=username, address=address, at=at, check=lambda: pytest.fail("checked"))
    return caught.value


def strangers_try(username="alice", at=NOON, count=ACCOUNT_MAX):
    """Try wrong passwords, from an address for every few attempts."""
    for n in range(count):
        wrong(username, f"198.51.100.{n // ACCOUNT_FROM_ADDRESS_MAX}", at)


def test_an_account_is_refused_from_the_address_only(db):
    for _ in range(ACCOUNT_FROM_ADDRESS_MAX):
        wrong(address=OFFICE)
    for address in (OFFICE, "2001:db8::2:3"):
        error = refused(address=address)
        assert str(error).startswith("Too many wrong passwords for this account from this address.")
        assert error.retry_after == 15 * 60
    right(address="2001:db8:0:1::1")
    right("bob", OFFICE)


def test_the_time_is_not_extended_by_refused_attempts(db):
    for n in range(ACCOUNT_FROM_ADDRESS_MAX):
        wrong(at=NOON + timedelta(minutes=n))
    last = NOON + timedelta(minutes=ACCOUNT_FROM_ADDRESS_MAX - 1)
    assert refused(at=last + timedelta(seconds=1)).retry_after == 15 * 60 - 1
    almost = refused(at=last + WINDOW - timedelta(seconds=59))
    assert "Wait 1 minute, then" in str(almost)
    right(at=last + WINDOW)


def test_a_right_password_starts_the_count_again(db):
    for _ in range(3):
        for _ in range(ACCOUNT_FROM_ADDRESS_MAX - 1):
            wrong()
        right()


def test_wrong_passwords_long_apart_are_not_added_up(db):
    for n in range(3 * ACCOUNT_FROM_ADDRESS_MAX):
        wrong(at=NOON + n * WINDOW / 5)


def test_strangers_cannot_lock_the_owner_out(db):
    right(address=OFFICE, at=NOON - timedelta(days=80))
    strangers_try()
    assert str(refused(address="203.0.113.9")).startswith(
        "Too many wrong passwords for this account."
    )
    wrong(address=OFFICE)
    right(address=OFFICE)
    # The strangers cannot raise the count further.
    assert KNOWN_FACTOR > 1
    assert refused(address="203.0.113.9").retry_after == 15 * 60
    right("bob", "203.0.113.9")


def test_an_address_is_known_for_a_limited_time(db):
    right(address=OFFICE, at=NOON - KNOWN_FOR)
    strangers_try()
    refused(address=OFFICE)


def test_an_address_has_a_limit_over_all_accounts(db):
    right("carol", at=NOON - timedelta(days=1))
    for n in range(ADDRESS_MAX):
        wrong(f"name {n}")
    assert str(refused("alice")).startswith("Too many wrong passwords from this address.")
    right("carol")
    right("alice", OFFICE)


def test_a_right_password_does_not_reset_the_count_of_the_address(db):
    for n in range(ADDRESS_MAX):
        wrong(f"name {n}")
        if n % 10 == 0:
            right("mallory")
    refused("alice")


def test_an_attempt_that_was_not_checked_does_not_count(db):
    def busy():
        raise TooManyRequests("Busy.", retry_after=3)

    for _ in range(2 * ACCOUNT_FROM_ADDRESS_MAX):
        with pytest.raises(TooManyRequests, match="Busy"):
            attempted(username="alice", address=HOME, at=NOON, check=busy)
    right()


def test_old_counts_are_removed_and_nothing_typed_is_stored(db):
    for n in range(9):
        wrong(f"my password {n}")
    right("alice")
    stored = " ".join(str(vars(row)) for row in PasswordAttempts.objects.all())
    assert not [text for text in ("my password", "alice", HOME) if text in stored]
    wrong("bob", OFFICE, NOON + WINDOW)
    # Of bob both counts and that of the address; of alice where she signed in.
    assert PasswordAttempts.objects.count() == 4
    wrong("bob", OFFICE, NOON + KNOWN_FOR)
    assert PasswordAttempts.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_concurrent_attempts_do_not_exceed_the_limit(monkeypatch):
    monkeypatch.setattr(passwords, "_SLOTS", HashingSlots(running=8, waiting=0, seconds=0.0))

    def attempt(_):
        try:
            return attempted(username="alice", address=HOME, at=NOON, check=lambda: None) is None
        except TooManyRequests:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        checked = sum(pool.map(attempt, range(3 * ACCOUNT_FROM_ADDRESS_MAX)))
    assert checked == ACCOUNT_FROM_ADDRESS_MAX
