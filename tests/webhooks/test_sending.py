"""Sending messages: their format, and receivers that misbehave."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core import mail
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.models import Delivery, DeliveryAttempt
from boards.registry.database import DatabaseRegistry
from boards.registry.webhooks.deliveries import replay
from boards.registry.webhooks.endpoints import rotate_secret
from boards.webhooks import http_post
from obeya.stages import Stage
from obeya.webhooks.endpoints import Target
from tests.webhooks.conftest import SITE, Make, work
from tests.webhooks.receivers import (
    Receiver,
    break_off,
    drip,
    garble,
    hang,
    raw_server,
    receiving,
)

# Workers close the connections that they use.
pytestmark = pytest.mark.django_db(transaction=True)


def attempts() -> list[DeliveryAttempt]:
    return list(DeliveryAttempt.objects.order_by("pk"))


def test_messages_arrive_signed_and_verify_with_the_public_library(
    make: Make, receiver: Receiver, models_of: Any
) -> None:
    _, secret = make(receiver.url)
    receiver.secrets = [secret]
    models_of.register_model("resnet50", metrics={"größe": 0.5})
    models_of.transition_stage("resnet50", 1, Stage.STAGING, reason="Gut “so” 模型 \u2028")
    while work():
        pass
    assert receiver.wrong == []
    assert [message["type"] for message in receiver.received] == [
        "webhook.created",
        "registered_model.registered",
        "model_version.registered",
        "model_version.stage_transitioned",
    ]
    assert receiver.received[-1]["data"]["texts"]["reason"] == "Gut “so” 模型 \u2028".strip()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    first = attempts()[0]
    assert first.status_code == 204
    assert first.request_headers["webhook-signature"].startswith("v1,")
    assert secret not in json.dumps(first.request_headers)


def test_after_a_rotation_both_the_old_and_the_new_secret_verify(
    make: Make, receiver: Receiver, actor: Actor
) -> None:
    row, old = make(receiver.url)
    _, new = rotate_secret(uid=row.uid, actor=actor, at=timezone.now())
    receiver.secrets = [old, new]
    while work():
        pass
    assert receiver.wrong == []
    assert len(receiver.received) == 2 * Delivery.objects.count()


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), 302),
        ((500, {}, b"Traceback"), 500),
        ((404, {}, b"\xff\x00 no text"), 404),
    ],
)
def test_anything_but_a_2xx_is_a_failure_and_no_redirect_is_followed(
    make: Make, receiver: Receiver, answer: Any, status: int
) -> None:
    with receiving() as elsewhere:
        if status == 302:
            answer = (302, {"Location": elsewhere.url}, b"")
        receiver.answer = lambda: answer
        make(receiver.url)
        assert work() == 1
        assert elsewhere.bodies == []
    (attempt,) = attempts()
    assert attempt.status_code == status
    row = Delivery.objects.get()
    assert (row.status, row.attempts_made) == ("pending", 1)


def test_a_long_response_is_read_up_to_a_limit(make: Make, receiver: Receiver) -> None:
    receiver.answer = lambda: (200, {}, b"x" * 10_000_000)
    make(receiver.url)
    work()
    (attempt,) = attempts()
    assert len(attempt.response) == 4_096


@pytest.mark.parametrize("talk", [hang, drip, garble, break_off])
def test_a_misbehaving_receiver_times_out_and_is_described(
    make: Make, monkeypatch: pytest.MonkeyPatch, talk: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr(http_post, "SECONDS", 0.7)
    with raw_server(talk) as url:
        make(url)
        assert work() == 1
    (attempt,) = attempts()
    assert attempt.status_code is None
    assert attempt.error.startswith("127.0.0.1 ")
    assert Delivery.objects.get().status == "pending"


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a certificate and key for this machine that this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = timezone.now()
    address = x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "receiver.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def encrypted(certificate: Path, talk: Callable[[Any], None]) -> Callable[[socket.socket], None]:
    """Return the same talk over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def spoken(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as line:
            talk(line)

    return spoken


def thank(connection: Any) -> None:
    came = b""
    while not came.endswith(b"}}"):
        came += connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_messages_are_sent_over_tls_only_with_a_trusted_certificate(
    make: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server(encrypted(certificate, thank)) as url:
        make(url.replace("http://", "https://"))
        work()
        replay(pk=Delivery.objects.get().pk, actor=SYSTEM, at=timezone.now())
        monkeypatch.delenv("SSL_CERT_FILE")
        work()
    trusted, distrusted = attempts()
    assert trusted.status_code == 204
    assert distrusted.status_code is None
    assert "certificate verify failed" in distrusted.error


@pytest.mark.parametrize("slow", [drip, hang])
def test_a_slow_receiver_times_out_over_tls_too(
    make: Make,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    slow: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setattr(http_post, "SECONDS", 0.7)
    with raw_server(encrypted(certificate, slow)) as url:
        make(url.replace("http://", "https://"))
        assert work() == 1
    (attempt,) = attempts()
    assert "no complete response within 0.7 seconds" in attempt.error


def test_a_receiver_without_a_tls_handshake_times_out(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_post, "SECONDS", 0.7)
    with raw_server(hang) as url:
        make(url.replace("http://", "https://"))
        assert work() == 1
    (attempt,) = attempts()
    assert attempt.status_code is None


def test_an_unreachable_receiver_is_reported(make: Make, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    make(f"http://127.0.0.1:{port}/", "closed")
    make("http://nowhere.invalid/", "nowhere")
    make(f"https://127.0.0.1:{port}/", "tls")
    while work():
        pass
    assert all("cannot be reached" in attempt.error for attempt in attempts())
    settings.OBEYA_WEBHOOK_NETWORKS = ()
    before = DeliveryAttempt.objects.count()
    DatabaseRegistry(actor=None).register_model("resnet50")
    work()
    inside = attempts()[before:]
    assert any("OBEYA_WEBHOOK_NETWORKS" in attempt.error for attempt in inside)


def test_chats_get_a_sentence_with_a_link_and_without_markup(
    make: Make, receiver: Receiver, models_of: Any
) -> None:
    models_of.register_model("<!channel> *bold* & co")
    make(f"{receiver.url}/slack", "slack", target=Target.SLACK, models=("*bold*",))
    make(f"{receiver.url}/teams", "teams", target=Target.TEAMS, models=("*bold*",))
    models_of.transition_stage("<!channel> *bold* & co", 1, Stage.STAGING, reason="<b>ok</b>")
    while work():
        pass
    bodies = [json.loads(body) for body in receiver.bodies]
    slack = next(body["text"] for body in bodies if "text" in body)
    assert slack.startswith("&lt;!channel&gt; *bold* &amp; co v1: alice moved the version")
    assert "“&lt;b&gt;ok&lt;/b&gt;”" in slack
    assert slack.endswith("/versions/1/|Open>")
    assert f"<{SITE}/models/" in slack
    teams = next(body for body in bodies if body.get("type") == "message")
    card = teams["attachments"][0]["content"]
    assert card["body"][0]["inlines"][0]["text"].startswith("<!channel> *bold* & co v1")
    assert card["actions"][0]["url"].startswith(f"{SITE}/models/")


def test_mail_is_sent_through_the_configured_mail_server(
    make: Make, models_of: Any, settings: Any
) -> None:
    settings.OBEYA_EMAIL_URL = "smtp://localhost"
    make("ops@example.org", "mail", target=Target.EMAIL, types=("model_version.registered",))
    models_of.register_model("resnet")
    while work():
        pass
    (sent,) = mail.outbox
    assert sent.to == ["ops@example.org"]
    assert sent.subject == "[Obeya] resnet v1: alice registered the version in Development."
    assert f"{SITE}/models/resnet/versions/1/" in sent.body
    assert Delivery.objects.get().status == "delivered"


def test_an_unreachable_mail_server_is_a_failed_attempt(
    make: Make, models_of: Any, settings: Any
) -> None:
    settings.OBEYA_EMAIL_URL = "smtp://localhost"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 9
    make("ops@example.org", "mail", target=Target.EMAIL, types=("model_version.registered",))
    models_of.register_model("resnet50")
    assert work() == 1
    (attempt,) = attempts()
    assert "The e-mail was not sent" in attempt.error
    assert Delivery.objects.get().status == "pending"


def test_an_unreadable_secret_says_what_to_do(
    make: Make, receiver: Receiver, settings: Any
) -> None:
    make(receiver.url)
    settings.SECRET_KEY = "the key of another installation"
    work()
    (attempt,) = attempts()
    assert "Create a new secret for this endpoint" in attempt.error
    assert receiver.bodies == []
