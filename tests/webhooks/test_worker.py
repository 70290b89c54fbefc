"""A running worker: when it wakes, which deliveries it takes, and how it stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import Delivery, DeliveryAttempt
from boards.registry.database import DatabaseRegistry
from boards.registry.webhooks import deliveries as delivery_writes
from boards.registry.webhooks.deliveries import (
    Attempt,
    Outcome,
    lease_due,
    next_due,
    record_attempts,
)
from boards.webhooks import delivering, http_post
from boards.worker.new_work import watch
from boards.worker.worker import Worker
from tests.webhooks.conftest import SITE, Make
from tests.webhooks.receivers import Receiver, raw_server

# A worker has a separate connection, which sees only what is committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_engines]


@contextmanager
def running() -> Iterator[Worker]:
    running = Worker(site=SITE)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()


def register() -> None:
    DatabaseRegistry(actor=None).register_model("resnet50")


def in_another_thread(write: Any) -> threading.Thread:
    """Write on a connection of another thread."""

    def run() -> None:
        write()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_an_idle_worker_sends_later_events(make: Make, receiver: Receiver) -> None:
    make(receiver.url)
    with running():
        for number in range(1, 4):
            # Each time, the worker is idle before the next event is written.
            receiver.wait_until(lambda: len(receiver.bodies) == Delivery.objects.count())
            for _ in range(number):
                register()
        receiver.wait_until(lambda: len(receiver.bodies) == Delivery.objects.count())
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}


def test_a_hanging_receiver_delays_no_other(
    make: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is, the hanging attempts end after the others have arrived.
    monkeypatch.setattr(http_post, "SECONDS", 600)
    released = threading.Event()

    def hang_until_released(line: Any) -> None:
        line.recv(65_536)
        released.wait()

    with raw_server(hang_until_released) as url:
        make(url, "hanging")
        make(receiver.url, "well")
        for _ in range(10):
            register()
        expected = Delivery.objects.filter(webhook__name="well").count()
        with running():
            try:
                receiver.wait_until(lambda: len(receiver.bodies) == expected)
                # None of the hanging attempts has ended, and no fifth one has begun.
                hanging = Delivery.objects.filter(webhook__name="hanging")
                assert not DeliveryAttempt.objects.filter(delivery__in=hanging).exists()
                assert hanging.filter(leased_until__isnull=False).count() == 4
            finally:
                released.set()


def test_a_stopped_worker_records_running_attempts_and_takes_no_more(
    make: Make, receiver: Receiver, settings: Any
) -> None:
    settings.OBEYA_WEBHOOK_CONCURRENCY = 2
    make(receiver.url)
    for _ in range(10):
        register()
    under_way, released = threading.Barrier(3), threading.Event()

    def answer() -> tuple[int, dict[str, str], bytes]:
        if not released.is_set():
            under_way.wait(60)
            released.wait(60)
        return 204, {}, b""

    receiver.answer = answer
    with running() as stopped:
        under_way.wait(60)
        stopped.stop()
        released.set()
    assert Delivery.objects.filter(status="delivered").count() == len(receiver.bodies) == 2
    assert not Delivery.objects.filter(leased_until__isnull=False).exists()


@pytest.mark.parametrize(
    "unrecordable",
    [
        pytest.param({"milliseconds": -1}, id="the database refuses it"),
        pytest.param({"request_headers": {"a": object()}}, id="it is not JSON"),
    ],
)
def test_what_cannot_be_stored_of_an_attempt_is_left_out_with_the_reason(
    make: Make, receiver: Receiver, unrecordable: dict[str, Any]
) -> None:
    make(receiver.url)
    register()
    now = timezone.now()
    first, *others = lease_due(limit=10, per_webhook=10, seconds=60, at=now)
    outcome = Outcome(**{"milliseconds": 5, "status_code": 204, **unrecordable})
    attempts = [Attempt(leased=first, outcome=outcome, made_at=now)]
    attempts += [
        Attempt(leased=each, outcome=Outcome(milliseconds=5, status_code=204), made_at=now)
        for each in others
    ]
    delivering.record(attempts)
    delivered = Delivery.objects.filter(status="delivered").values_list("pk", flat=True)
    assert set(delivered) == {first.pk, *(each.pk for each in others)}
    stored = DeliveryAttempt.objects.get(delivery=first.pk)
    assert stored.status_code == 204
    assert "The response could not be stored" in stored.error


def test_the_next_wake_up_is_the_first_retry_or_the_end_of_a_lease(
    make: Make, receiver: Receiver
) -> None:
    make(receiver.url)
    now = timezone.now()
    assert next_due(after=now) is None
    (leased,) = lease_due(limit=1, per_webhook=1, seconds=60, at=now)
    assert next_due(after=now) == now + timedelta(seconds=60)
    record_attempts(
        [Attempt(leased=leased, outcome=Outcome(milliseconds=5, status_code=500), made_at=now)]
    )
    assert next_due(after=now) == Delivery.objects.get().next_attempt_at
    assert next_due(after=now + timedelta(days=1)) is None


def replay() -> None:
    newest = Delivery.objects.latest("pk").pk
    delivery_writes.replay(pk=newest, actor=SYSTEM, at=timezone.now())


@pytest.mark.parametrize("write", [register, replay])
def test_a_wait_ends_with_the_write_of_another_connection(
    make: Make, receiver: Receiver, write: Callable[[], None]
) -> None:
    make(receiver.url)
    wake = threading.Event()
    with watch(wake) as new_work:
        if connection.vendor == "postgresql":
            assert wake.wait(60), "nothing listens"
            wake.clear()
        new_work.begin()
        with CaptureQueriesContext(connection) as queries:
            writer = in_another_thread(write)
            changed = new_work.wait(60) if connection.vendor == "sqlite" else wake.wait(60)
        writer.join()
    assert changed
    # While waiting, the worker reads only SQLite's file version, and nothing from PostgreSQL.
    statements = {query["sql"] for query in queries}
    assert statements <= {"PRAGMA data_version"}
