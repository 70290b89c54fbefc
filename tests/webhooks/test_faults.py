"""Errors in any part of a delivery: each leaves an attempt with the reason."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import Delivery, DeliveryAttempt, Webhook, WebhookMessage
from boards.registry.webhooks.deliveries import replay
from boards.worker.worker import Worker
from obeya.webhooks.endpoints import Target
from tests.offenders import every_case
from tests.webhooks.conftest import SITE, Make, work
from tests.webhooks.receivers import Receiver

# Workers close the connections that they use.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_engines]

# Addresses that were stored by an older version, or changed in the database.
STORED = {
    "http://a..example/": "cannot be reached",
    f"http://{'a' * 64}.example/": "cannot be reached",
    "http://[::1/": "ValueError",
    "http://127.0.0.1:99999/": "ValueError",
    "http://127.0.0.1:0/": "cannot be reached",
    "https://.example/": "cannot be reached",
    "http:///": "cannot be reached",
    "nothing": "cannot be reached",
    "": "cannot be reached",
    "http://127.0.0.1\r\nHost: x/": "ValueError",
}


class Odd(BaseException):
    """An error that is not an `Exception`."""


def fail(error: BaseException) -> Callable[..., Any]:
    def failing(*_: Any, **__: Any) -> Any:
        raise error

    return failing


# What fails, where, and how.
FAULTS: tuple[tuple[Any, str, BaseException], ...] = (
    (socket, "getaddrinfo", OverflowError("getaddrinfo() argument 2 must be in range")),
    (socket, "getaddrinfo", UnicodeError("label too long")),
    (socket, "getaddrinfo", MemoryError()),
    (socket, "getaddrinfo", OSError("no \udcff resolver")),
    (socket.socket, "connect", RuntimeError("no loop")),
    (socket.socket, "connect", OverflowError("connect(): port must be 0-65535.")),
    (ssl, "create_default_context", ssl.SSLError("no certificates")),
    (ssl, "create_default_context", PermissionError(13, "Permission denied")),
    (ssl.SSLContext, "wrap_socket", ValueError("server_hostname cannot start with a dot")),
    (threading.Timer, "start", RuntimeError("can't start new thread")),
    (http.client.HTTPConnection, "request", RecursionError()),
    (http.client.HTTPConnection, "getresponse", MemoryError()),
)


def sent_again(delivery: Delivery) -> DeliveryAttempt:
    """Send a delivery again and return its new attempt."""
    before = set(DeliveryAttempt.objects.values_list("pk", flat=True))
    replay(pk=delivery.pk, actor=SYSTEM, at=timezone.now())
    assert work() == 1
    delivery.refresh_from_db()
    assert (delivery.attempts_made, delivery.leased_until) == (1, None), "no attempt is recorded"
    return DeliveryAttempt.objects.exclude(pk__in=before).get()


def test_an_error_in_any_part_is_an_attempt_with_its_reason(
    make: Make, receiver: Receiver, settings: Any
) -> None:
    row, _ = make(receiver.url)
    delivery = Delivery.objects.get()
    rows = Webhook.objects.filter(pk=row.pk)
    with every_case() as case:
        for address, reason in STORED.items():
            with case(repr(address)):
                rows.update(address=address)
                attempt = sent_again(delivery)
                assert attempt.status_code is None
                assert reason in attempt.error, attempt.error
        for where, name, error in FAULTS:
            with case(f"{name}: {error!r}"), pytest.MonkeyPatch.context() as patch:
                over_tls = where in (ssl, ssl.SSLContext)
                rows.update(
                    address=receiver.url.replace("http:", "https:" if over_tls else "http:")
                )
                patch.setattr(where, name, fail(error))
                attempt = sent_again(delivery)
                assert attempt.status_code is None
                told = str(error).replace("\udcff", "?").rpartition("] ")[2]
                assert told in attempt.error, attempt.error
                assert attempt.error
        with case("a target of another version"):
            rows.update(target="pigeon", address=receiver.url)
            assert "pigeon" in sent_again(delivery).error
        with case("a message that cannot be read"):
            rows.update(target=Target.SLACK.value)
            body = WebhookMessage.objects.get(pk=delivery.message_id).body
            WebhookMessage.objects.update(body="{}")
            assert "KeyError" in sent_again(delivery).error
            WebhookMessage.objects.update(body=body)
        settings.OBEYA_EMAIL_URL = "smtp://localhost"
        rows.update(target=Target.EMAIL.value)
        for address in ("a\nb@example.org", "ops@a..example"):
            with case(address):
                settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
                rows.update(address=address)
                sent_again(delivery)
        with case("a backend that does not exist"):
            settings.EMAIL_BACKEND = "no.such.Backend"
            assert "ModuleNotFoundError" in sent_again(delivery).error
    rows.update(target=Target.WEBHOOK.value, address=receiver.url)
    assert sent_again(delivery).status_code == 204


@pytest.mark.parametrize(
    ("where", "name", "error"),
    [
        (threading.Thread, "start", RuntimeError("can't start new thread")),
        (socket, "getaddrinfo", Odd("out of order")),
    ],
)
def test_a_worker_without_threads_and_one_whose_thread_ends_record_the_attempt(
    make: Make, receiver: Receiver, where: Any, name: str, error: BaseException
) -> None:
    make(receiver.url)
    worker = Worker(site=SITE)
    original = getattr(where, name)

    def failing(*arguments: Any, **more: Any) -> Any:
        if where is threading.Thread and not arguments[0].name.startswith("delivery"):
            return original(*arguments, **more)
        # It returns once this attempt is recorded.
        worker.stop()
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, failing)
        worker.run()
    assert str(error) in DeliveryAttempt.objects.get().error
    assert Delivery.objects.get().attempts_made == 1
