"""Webhook logic without a database: subscriptions, signatures, messages and the retry schedule."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from obeya.audit.chain import AuditEvent
from obeya.audit.heads import ChainHead
from obeya.errors import InvalidInput
from obeya.records import Action, Channel
from obeya.stages import Stage
from obeya.webhooks.endpoints import (
    HEADS,
    TEST,
    TYPES,
    Subscription,
    Target,
    endpoint_address,
    shown_address,
)
from obeya.webhooks.messages import (
    body_of,
    event_message,
    heads_message,
    sentence_of,
    trial_message,
)
from obeya.webhooks.schedule import BACK_OFF, next_attempt_at
from obeya.webhooks.signing import new_secret, signed_headers
from tests.offenders import every_case

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
MOVED = Action.STAGE_TRANSITIONED.value


def event(action: Action = Action.STAGE_TRANSITIONED, **more: object) -> AuditEvent:
    told = {
        "chain": "c",
        "sequence": 3,
        "occurred_at": NOON,
        "recorded_at": NOON,
        "actor": "u",
        "channel": Channel.PAGE,
        "action": action,
        "previous_hash": "0" * 64,
        "model": "c",
        "version": 4,
        "from_stage": Stage.STAGING,
        "to_stage": Stage.PRODUCTION,
        "texts": {"reason": "Better"},
    }
    return AuditEvent(**{**told, **more})


# --- Subscriptions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscription", "wanted"),
    [
        (Subscription(), True),
        (Subscription(types=(MOVED,)), True),
        (Subscription(types=("user.created",)), False),
        (Subscription(models=("resnet*",)), True),
        (Subscription(models=("bert", "res?et50")), True),
        (Subscription(models=("resnet5",)), False),
        (Subscription(stages=(Stage.PRODUCTION,)), True),
        (Subscription(stages=(Stage.STAGING,)), True),
        (Subscription(stages=(Stage.ARCHIVED,)), False),
        (Subscription((MOVED,), ("resnet*",), (Stage.ARCHIVED,)), False),
    ],
)
def test_a_subscription_matches_if_all_its_filters_match(
    subscription: Subscription, wanted: bool
) -> None:
    told = {"model": "resnet50", "from_stage": Stage.STAGING, "to_stage": Stage.PRODUCTION}
    assert subscription.wants(MOVED, **told) is wanted


def test_events_without_model_or_stage_match_no_such_filter() -> None:
    assert Subscription().wants("user.created")
    assert not Subscription(models=("*",)).wants("user.created")
    assert not Subscription(stages=(Stage.STAGING,)).wants("user.created")


def test_every_endpoint_gets_tests_and_only_subscribers_get_heads() -> None:
    assert Subscription(types=("user.created",), models=("x",)).wants(TEST)
    assert not Subscription().wants(HEADS)
    assert Subscription(types=(HEADS,), models=("x",)).wants(HEADS)


@pytest.mark.parametrize(
    "arguments",
    [{"types": ("moved",)}, {"models": ("a/b",)}, {"models": ("",)}, {"stages": ("live",)}],
)
def test_an_invalid_subscription_is_refused(
    arguments: dict[str, tuple[str, ...]],
) -> None:
    with pytest.raises(InvalidInput):
        Subscription(**arguments)


def test_every_action_can_be_subscribed_to() -> None:
    assert set(TYPES) == {action.value for action in Action} | {HEADS}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org/#here",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://exämple.org/",
        "https://[::1",
        "file:///etc/passwd",
        "https://example.org/" + "x" * 3_000,
    ],
)
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        endpoint_address(Target.WEBHOOK, address)
    assert refused.value.field == "address"


# Hosts to which no delivery can ever be sent unless their network is allowed.
NEVER = """
127.0.0.1 127.1 2130706433 0x7f000001 017700000001 0 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1
169.254.169.254 100.64.0.1 168.63.129.16 192.88.99.1 224.0.0.1 255.255.255.255 192.0.2.1
[::1] [::] [fe80::1] [fe80::1%25eth0] [fc00::1] [fec0::1] [ff02::1] [2001:db8::1]
[::ffff:127.0.0.1] [::ffff:a9fe:a9fe] [64:ff9b::7f00:1] [64:ff9b:1::1] [2002:7f00:1::1]
[2002:c058:6301::] localhost LOCALHOST localhost. api.localhost
"""
# Hosts that are neither a name nor an address.
INVALID = f"""
a..example .example {"a" * 64}.example {"a." * 130}example 1.2.3.4.5 256.1.1.1 127.0.0.1.
example.0x7f example.123 a*b.example a,b.example <b>
"""
RECEIVING = """
example.org example.org. a_b.example xn--mnchen-3ya.example 1.1.1.1 3.example nowhere.invalid
[2606:4700:4700::1111] [64:ff9b::101:101] intranet
"""
INSIDE = "127.0.0.1 127.1 localhost a.localhost [::ffff:10.1.0.1] [fd00::1]"


def test_a_host_that_never_receives_a_delivery_is_refused() -> None:
    with every_case() as case:
        for hosts, reason in ((NEVER, "OBEYA_WEBHOOK_NETWORKS"), (INVALID, "not a valid host")):
            for host in hosts.split():
                with case(host), pytest.raises(InvalidInput, match=reason) as refused:
                    endpoint_address(Target.WEBHOOK, f"https://{host}:8080/hook")
                assert refused.value.field == "address"
        for target in (Target.SLACK, Target.TEAMS):
            with case(target), pytest.raises(InvalidInput, match="public internet address"):
                endpoint_address(target, "https://10.0.0.1/hook")
        for host in RECEIVING.split():
            with case(host):
                endpoint_address(Target.WEBHOOK, f"https://{host}:8080/hook")


def test_hosts_in_allowed_networks_are_accepted() -> None:
    allowed = (ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    with every_case() as case:
        for host in INSIDE.split():
            with case(host):
                endpoint_address(Target.WEBHOOK, f"http://{host}/", allowed=allowed)
        for host in ("10.2.0.1", "[fc00::1]", "[::1]"):
            with case(host), pytest.raises(InvalidInput):
                endpoint_address(Target.WEBHOOK, f"http://{host}/", allowed=allowed)


def test_addresses_are_stored_unchanged_and_shown_without_secrets() -> None:
    chat = "https://hooks.example.org/services/T000/B000/XXXX?thread=1"
    assert endpoint_address(Target.SLACK, f" {chat} ") == chat
    assert shown_address(Target.SLACK, chat) == "https://hooks.example.org"
    assert endpoint_address(Target.EMAIL, "ops@example.org") == "ops@example.org"
    for wrong in ("ops", "a@b@c", "a@example.org, b@example.org", "a@exa\nmple.org"):
        with pytest.raises(InvalidInput):
            endpoint_address(Target.EMAIL, wrong)


# --- Signatures -----------------------------------------------------------------------------------


@given(st.text(), st.uuids())
def test_the_public_library_verifies_signatures(text: str, uid: object) -> None:
    secret, body = new_secret(), json.dumps({"text": text}, ensure_ascii=False)
    now = int(datetime.now(UTC).timestamp())
    headers = signed_headers(f"msg_{uid}", now, body, [secret])
    assert Webhook(secret).verify(body, dict(headers)) == {"text": text}


def test_either_secret_verifies_while_both_sign_and_no_other() -> None:
    new, old = new_secret(), new_secret()
    headers = dict(signed_headers("msg_1", int(datetime.now(UTC).timestamp()), "{}", [new, old]))
    assert Webhook(new).verify("{}", headers) == {}
    assert Webhook(old).verify("{}", headers) == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify("{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify('{"a":1}', headers)


# --- Messages -------------------------------------------------------------------------------------


def test_an_event_message_has_actor_and_action() -> None:
    message = event_message(event(), "f" * 64, actor="ada", model="resnet50")
    assert message == {
        "type": "model_version.stage_transitioned",
        "timestamp": "2026-03-03T12:00:00.000000Z",
        "data": {
            "id": "c:3",
            "hash": "f" * 64,
            "actor": {"id": "u", "name": "ada"},
            "channel": "page",
            "model": {"id": "c", "name": "resnet50"},
            "version": 4,
            "from_stage": "staging",
            "to_stage": "production",
            "operation_id": None,
            "texts": {"reason": "Better"},
            "data": {},
        },
    }
    assert json.loads(body_of(message)) == message
    assert sentence_of(message) == (
        "resnet50 v4: ada moved the version from Staging to Production: “Better”"
    )


def test_every_action_has_a_readable_sentence() -> None:
    for action in Action:
        told = sentence_of(event_message(event(action), "f" * 64, actor="ada", model="m"))
        assert told.startswith("m v4: ada ")
    site = event(Action.USER_CREATED, model=None, version=None, from_stage=None, to_stage=None)
    said = event_message(site, "f" * 64, actor="ada", model=None)
    assert said["data"]["model"] is None
    assert sentence_of(said).startswith("Ada created a user")


def test_a_long_reason_is_cut_only_in_the_sentence() -> None:
    message = event_message(event(texts={"reason": "x" * 9_000}), "f", actor="a", model="m")
    assert len(sentence_of(message)) < 700
    assert message["data"]["texts"]["reason"] == "x" * 9_000


def test_heads_and_tests_have_messages_too() -> None:
    head = ChainHead("c", 3, "f" * 64, "resnet50")
    heads = heads_message([head], day="2026-03-03", part=1, parts=2, at=NOON)
    assert heads["data"]["heads"] == [head.document]
    assert "1 chains" in sentence_of(heads)
    trial = trial_message("ci", by="ada", at=NOON)
    assert trial["type"] == TEST
    assert sentence_of(trial) == "A test of the endpoint “ci”, sent by ada."


# --- The retry schedule ---------------------------------------------------------------------------


def test_attempts_are_spread_over_three_days_and_then_end() -> None:
    assert [wait.total_seconds() for wait in BACK_OFF] == [
        0,
        5,
        300,
        1_800,
        7_200,
        18_000,
        36_000,
        50_400,
        72_000,
        86_400,
    ]
    assert next_attempt_at(1, NOON, 0) == NOON + timedelta(seconds=5)
    assert next_attempt_at(1, NOON, 1) == NOON + timedelta(seconds=6)
    assert next_attempt_at(9, NOON, 0.5) == NOON + timedelta(hours=26, minutes=24)
    assert next_attempt_at(10, NOON, 0) is None
