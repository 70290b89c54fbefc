"""Password hashes: bounded in number, so that sign-ins leave threads for other requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.test import Client
from django.urls import reverse

from boards.access import passwords
from boards.access.passwords import HashingSlots
from boards.models import PasswordAttempts, User
from obeya.errors import TooManyRequests

LONG = 600.0
Holder = Callable[[HashingSlots], "Future[None]"]


@pytest.fixture
def release() -> Event:
    return Event()


@pytest.fixture
def hold(release: Event) -> Iterator[Holder]:
    """Return a function that holds a place in another thread until `release` is set."""
    with ThreadPoolExecutor() as pool:

        def start(slots: HashingSlots) -> Future[None]:
            entered = Event()

            def held() -> None:
                with slots.slot():
                    entered.set()
                    release.wait(LONG)

            future = pool.submit(held)
            assert entered.wait(LONG)
            return future

        yield start
        release.set()


def test_one_thread_runs_and_few_wait(release: Event, hold: Holder) -> None:
    slots = HashingSlots(1, 1, LONG)
    hold(slots)
    with ThreadPoolExecutor() as pool:

        def take() -> str:
            try:
                with slots.slot():
                    return "ran"
            except TooManyRequests as error:
                # As soon as another thread waits, the next one is refused.
                release.set()
                return str(error)

        results = {future.result() for future in [pool.submit(take) for _ in range(2)]}
    assert results == {
        "ran",
        "Too many passwords are being checked now. Try again in a few seconds.",
    }
    # All places are free again.
    for _ in range(3):
        with slots.slot(), slots.slot():
            pass


def test_waiting_ends(hold: Holder) -> None:
    slots = HashingSlots(1, 5, 0.01)
    hold(slots)
    with pytest.raises(TooManyRequests) as caught, slots.slot():
        pass
    assert caught.value.retry_after == 1


@pytest.mark.django_db
def test_an_open_transaction_does_not_wait(hold: Holder) -> None:
    slots = HashingSlots(1, 5, LONG)
    hold(slots)
    with transaction.atomic(), pytest.raises(TooManyRequests), slots.slot():
        pass


@pytest.mark.django_db(transaction=True)
def test_a_sign_in_is_refused_and_not_counted_while_too_many_are_checked(
    settings: Any, monkeypatch: pytest.MonkeyPatch, hold: Holder, release: Event, client: Client
) -> None:
    settings.PASSWORD_HASHERS = ["boards.access.passwords.BoundedPasswordHasher"]
    monkeypatch.setattr(passwords.BoundedPasswordHasher, "iterations", 1)
    slots = HashingSlots(1, 0, LONG)
    monkeypatch.setattr(passwords, "_SLOTS", slots)
    User.objects.create_user("alice", password="a long enough password")
    running = hold(slots)
    form = {"username": "alice", "password": "a long enough password"}
    for username in ("alice", "no one"):
        for _ in range(12):
            busy = client.post(reverse("boards:sign_in"), {**form, "username": username})
            assert (busy.status_code, busy["Retry-After"]) == (429, "600")
            assert "Try again in a few seconds" in busy.content.decode()
    assert PasswordAttempts.objects.count() == 0
    release.set()
    running.result()
    assert client.post(reverse("boards:sign_in"), form).status_code == 302


def test_hashes_of_earlier_versions_stay_valid(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    earlier = make_password("secret")
    settings.PASSWORD_HASHERS = ["boards.access.passwords.BoundedPasswordHasher"]
    assert check_password("secret", earlier)
    assert not check_password("Secret", earlier)
