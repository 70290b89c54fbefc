"""Deliveries: creation with their events, leases, retries, expiry and replay."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.access.actors import Actor
from boards.models import (
    AuditEvent,
    Delivery,
    DeliveryAttempt,
    HeadsPublished,
    Webhook,
    WebhookMessage,
)
from boards.queries.verification.verification_state import chain_heads
from boards.registry.catalog.registration import register_versions
from boards.registry.database import DatabaseRegistry
from boards.registry.transfer.imports import import_model
from boards.registry.webhooks.deliveries import (
    Attempt,
    Leased,
    Outcome,
    lease_due,
    publish_heads,
    record_attempts,
    replay,
    replay_failed,
    sweep_deliveries,
)
from boards.registry.webhooks.endpoints import disable_webhook, enable_webhook
from obeya.errors import InvalidInput, NotFound
from obeya.imports import ImportedModel, ImportedVersion
from obeya.records import VersionDraft
from obeya.stages import Stage
from obeya.webhooks.endpoints import HEADS
from obeya.webhooks.schedule import BACK_OFF
from tests.webhooks.conftest import Make

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]
URL = "https://ci.example.org/hook"
FAILED = Outcome(milliseconds=10, status_code=500, response="no")
ARRIVED = Outcome(milliseconds=10, status_code=204)


def lease(limit: int = 100, per_webhook: int = 100, **more: Any) -> list[Leased]:
    at = more.pop("at", timezone.now())
    return lease_due(limit=limit, per_webhook=per_webhook, seconds=60, at=at)


def record_attempt(*, leased: Leased, outcome: Outcome, at: datetime) -> bool:
    return record_attempts([Attempt(leased=leased, outcome=outcome, made_at=at)]) == 1


def sent() -> list[str]:
    return [json.loads(m.body)["type"] for m in WebhookMessage.objects.order_by("pk")]


# --- Creation with the event ----------------------------------------------------------------------


def test_every_event_and_nothing_else_has_a_message(
    make: Make, models_of: DatabaseRegistry
) -> None:
    make(URL)
    models_of.register_model("resnet50", metrics={"accuracy": 0.9})
    models_of.transition_stage("resnet50", 1, Stage.STAGING, reason="Good")
    first = AuditEvent.objects.get(action="webhook.created").pk
    rows = AuditEvent.objects.filter(pk__gte=first).order_by("pk")
    assert list(WebhookMessage.objects.order_by("pk").values_list("event", flat=True)) == [
        row.pk for row in rows
    ]
    assert Delivery.objects.count() == rows.count()
    moved = json.loads(WebhookMessage.objects.order_by("pk").last().body)
    event = rows.last()
    assert moved["data"]["id"] == f"{event.model.uid}:{event.sequence}"
    assert moved["data"]["hash"] == event.hash
    assert moved["data"]["actor"]["name"] == "alice"
    assert moved["data"]["model"]["name"] == "resnet50"
    assert (moved["data"]["from_stage"], moved["data"]["to_stage"]) == ("development", "staging")
    assert moved["data"]["texts"] == {"reason": "Good"}


def test_a_write_that_is_rolled_back_sends_nothing(make: Make, models_of: DatabaseRegistry) -> None:
    make(URL)
    before = WebhookMessage.objects.count()

    with transaction.atomic():
        models_of.register_model("resnet50")
        assert WebhookMessage.objects.count() > before
        transaction.set_rollback(True)
    assert WebhookMessage.objects.count() == before
    assert Delivery.objects.count() == before


def test_filters_select_endpoints_that_share_one_message(make: Make, models_of: Any) -> None:
    make(URL, "moves", types=("model_version.stage_transitioned",))
    make(URL, "bert", models=("bert*",))
    make(URL, "production", stages=(Stage.PRODUCTION,))
    WebhookMessage.objects.all().delete()
    models_of.register_model("resnet50")
    assert sent() == []
    models_of.transition_stage("resnet50", 1, Stage.STAGING)
    models_of.transition_stage("resnet50", 1, Stage.PRODUCTION)
    assert sent() == ["model_version.stage_transitioned"] * 2
    got = Delivery.objects.order_by("pk").values_list("webhook__name", flat=True)
    assert list(got) == ["moves", "moves", "production"]
    models_of.register_model("bert-base")
    assert Delivery.objects.filter(webhook__name="bert").count() == 2


def test_without_endpoints_an_event_costs_one_statement_more(models_of: Any, make: Make) -> None:
    models_of.register_model("resnet50")
    with CaptureQueriesContext(connection) as queries:
        models_of.set_tag("resnet50", "a", "b")
    about = [query for query in queries if "boards_webhook" in query["sql"]]
    assert len(about) == 1
    for number in range(20):
        make(URL, f"endpoint {number}", types=("user.created",))
    with CaptureQueriesContext(connection) as queries:
        models_of.set_tag("resnet50", "a", "c")
    assert len([query for query in queries if "boards_webhook" in query["sql"]]) == 1


def test_many_events_of_one_write_cost_no_more_statements(
    make: Make, actor: Actor, models_of: Any
) -> None:
    make(URL)
    make(URL, "other")
    counts = []
    for number in (2, 20):
        drafts = [VersionDraft(f"model-{number}") for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            register_versions(drafts=drafts, actor=actor, at=timezone.now())
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_imported_history_is_not_sent(make: Make, actor: Actor) -> None:
    make(URL)
    before = WebhookMessage.objects.count()
    at = timezone.now()
    version = ImportedVersion(1, Stage.PRODUCTION, at, at)
    imported = ImportedModel("old", "https://mlflow.example.org", at, versions=(version,))
    import_model(imported=imported, actor=actor, at=at)
    assert WebhookMessage.objects.count() == before


# --- Leases ---------------------------------------------------------------------------------------


def test_a_leased_delivery_is_exclusive_until_the_lease_expires(make: Make) -> None:
    make(URL)
    at = timezone.now()
    (mine,) = lease(at=at)
    assert lease(at=at + timedelta(seconds=59)) == []
    (theirs,) = lease(at=at + timedelta(seconds=61))
    assert theirs.pk == mine.pk
    # A worker that lost its lease writes nothing.
    assert not record_attempt(leased=mine, outcome=FAILED, at=at)
    assert not DeliveryAttempt.objects.exists()
    assert record_attempt(leased=theirs, outcome=ARRIVED, at=at)
    assert Delivery.objects.get().status == "delivered"
    assert not record_attempt(leased=theirs, outcome=ARRIVED, at=at)


def test_one_endpoint_never_uses_every_slot(make: Make, models_of: Any) -> None:
    slow, _ = make(URL, "slow")
    for _ in range(5):
        models_of.register_model("resnet50")
    make(URL, "quick", types=("model_version.registered",))
    models_of.register_model("resnet50")
    taken = lease(limit=10, per_webhook=2)
    assert sorted(leased.webhook.name for leased in taken) == ["quick", "slow", "slow"]
    assert lease(limit=10, per_webhook=2) == []
    record_attempt(
        leased=next(each for each in taken if each.webhook.pk == slow.pk),
        outcome=ARRIVED,
        at=timezone.now(),
    )
    assert [leased.webhook.name for leased in lease(limit=10, per_webhook=2)] == ["slow"]


@pytest.mark.django_db(transaction=True)
def test_workers_share_the_work_and_never_the_same_delivery(make: Make, models_of: Any) -> None:
    for number in range(3):
        make(URL, f"endpoint {number}")
    for _ in range(10):
        models_of.register_model("resnet50")
    taken: list[list[int]] = [[], [], [], []]
    ready = threading.Barrier(len(taken))

    def worker(mine: list[int]) -> None:
        ready.wait()
        for _ in range(20):
            mine += [leased.pk for leased in lease(limit=3)]
        connections.close_all()

    threads = [threading.Thread(target=worker, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_of_them = [pk for mine in taken for pk in mine]
    assert len(all_of_them) == len(set(all_of_them))
    while left := lease(limit=3):
        all_of_them += [leased.pk for leased in left]
    assert set(all_of_them) == set(Delivery.objects.values_list("pk", flat=True))


# --- Retries and expiry ---------------------------------------------------------------------------


def test_a_delivery_fails_after_three_days_of_attempts(make: Make) -> None:
    make(URL)
    at = timezone.now()
    for number, wait in enumerate(BACK_OFF, 1):
        at += wait
        (leased,) = lease(at=at)
        assert record_attempt(leased=leased, outcome=FAILED, at=at)
        assert Delivery.objects.get().attempts_made == number
        assert lease(at=at) == []
    row = Delivery.objects.get()
    assert (row.status, row.next_attempt_at) == ("failed", None)
    assert row.attempts.count() == len(BACK_OFF)


def test_an_answer_of_410_disables_the_endpoint_immediately(make: Make, models_of: Any) -> None:
    make(URL)
    models_of.register_model("resnet50")
    leased = lease()
    gone = Outcome(milliseconds=5, status_code=410)
    record_attempt(leased=leased[0], outcome=gone, at=timezone.now())
    row = Webhook.objects.get()
    assert row.disabled_reason == "The receiver answered 410 (Gone)."
    assert set(Delivery.objects.values_list("status", flat=True)) == {"cancelled"}
    assert AuditEvent.objects.get(action="webhook.disabled").actor is None


def test_five_days_of_failures_disable_an_endpoint_unless_one_delivery_arrives(
    make: Make, models_of: Any
) -> None:
    make(URL)
    start = timezone.now()

    def fail(at: Any, outcome: Outcome = FAILED) -> None:
        models_of.register_model("resnet50")
        newest = max(lease(at=at + timedelta(minutes=1)), key=lambda each: each.pk)
        record_attempt(leased=newest, outcome=outcome, at=at)
        Delivery.objects.filter(status="pending").delete()

    fail(start)
    fail(start + timedelta(days=4))
    fail(start + timedelta(days=4, hours=1), ARRIVED)
    assert Webhook.objects.get().failing_since is None
    fail(start + timedelta(days=4, hours=2))
    fail(start + timedelta(days=9, hours=1))
    assert Webhook.objects.get().disabled_at is None
    fail(start + timedelta(days=9, hours=2))
    assert Webhook.objects.get().disabled_reason == "Every delivery failed for 5 days."


# --- Replay ---------------------------------------------------------------------------------------


def test_a_delivery_is_replayed_with_the_same_message_and_keeps_its_attempts(
    make: Make, actor: Actor
) -> None:
    make(URL)
    (leased,) = lease()
    record_attempt(leased=leased, outcome=ARRIVED, at=timezone.now())
    row = replay(pk=leased.pk, actor=actor, at=timezone.now())
    assert row.status == "pending"
    (again,) = lease()
    assert again.message.message_id == leased.message.message_id
    with pytest.raises(InvalidInput, match="being sent now"):
        replay(pk=leased.pk, actor=actor, at=timezone.now())
    record_attempt(leased=again, outcome=ARRIVED, at=timezone.now())
    assert row.attempts.count() == 2
    with pytest.raises(NotFound):
        replay(pk=row.pk + 1, actor=actor, at=timezone.now())


def test_deliveries_that_failed_during_an_outage_are_sent_again(
    make: Make, actor: Actor, models_of: Any
) -> None:
    row, _ = make(URL)
    models_of.register_model("resnet50")
    at = timezone.now()
    disable_webhook(uid=row.uid, actor=actor, at=at)
    since = at - timedelta(days=1)
    with pytest.raises(InvalidInput, match="Enable it first"):
        replay_failed(uid=row.uid, since=since, actor=actor, at=at)
    enable_webhook(uid=row.uid, actor=actor, at=at)
    cancelled = Delivery.objects.filter(status="cancelled").count()
    assert cancelled
    later = at + timedelta(days=1)
    assert replay_failed(uid=row.uid, since=later, actor=actor, at=at) == 0
    assert replay_failed(uid=row.uid, since=since, actor=actor, at=at) == cancelled
    assert not Delivery.objects.filter(status="cancelled").exists()


# --- Maintenance ----------------------------------------------------------------------------------


def test_heads_are_sent_daily_in_parts_and_logged(
    make: Make, models_of: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boards.registry.webhooks.deliveries.HEADS_AT_ONCE", 2)
    make(URL, "heads", types=(HEADS,))
    for name in ("a", "b", "c"):
        models_of.register_model(name)
    at = datetime.now(UTC)
    with caplog.at_level("INFO", logger="obeya.heads"):
        assert publish_heads(at=at) == 4
        assert publish_heads(at=at) == 0
    bodies = [json.loads(message.body)["data"] for message in WebhookMessage.objects.all()]
    assert [(body["part"], body["parts"], len(body["heads"])) for body in bodies] == [
        (1, 2, 2),
        (2, 2, 2),
    ]
    told = {head["name"]: head for body in bodies for head in body["heads"]}
    row = models_of.get_version("b", 1)
    assert row.version == 1
    newest = AuditEvent.objects.filter(model__name="b").order_by("-sequence").first()
    assert (told["b"]["length"], told["b"]["hash"]) == (newest.sequence, newest.hash)
    (line,) = caplog.messages
    listing = "".join(f"{head}\n" for head in chain_heads())
    digest = hashlib.sha256(listing.encode()).hexdigest()
    assert line == f"Heads of 4 chains on {at.date()}: sha256:{digest}"
    caplog.clear()
    models_of.set_tag("b", "key", "value")
    with caplog.at_level("INFO", logger="obeya.heads"):
        assert publish_heads(at=at + timedelta(days=1)) == 4
    grown = AuditEvent.objects.filter(model__name="b").order_by("-sequence").first()
    assert [grown.hash in message for message in caplog.messages] == [False, True]
    assert HeadsPublished.objects.count() == 2


def test_old_deliveries_are_deleted_with_their_messages(make: Make, models_of: Any) -> None:
    make(URL, "one")
    make(URL, "two")
    WebhookMessage.objects.all().delete()
    models_of.register_model("resnet50")
    at = timezone.now()
    for leased in lease():
        if leased.webhook.name == "one":
            record_attempt(leased=leased, outcome=ARRIVED, at=at)
    assert sweep_deliveries(older_than=at - timedelta(days=1)) == 0
    assert sweep_deliveries(older_than=at + timedelta(days=1)) == 2
    assert not DeliveryAttempt.objects.exists()
    assert Delivery.objects.count() == 2
    # Their messages are still pending for the other endpoint.
    assert WebhookMessage.objects.count() == 2
