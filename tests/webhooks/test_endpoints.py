"""Creating, changing, rotating, disabling and removing endpoints, each with its event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.access.sealing import Unopenable
from boards.models import AuditEvent, Delivery, Webhook
from boards.registry.accounts.users import create_user
from boards.registry.webhooks.deliveries import replay, replay_failed
from boards.registry.webhooks.endpoints import (
    WEBHOOKS_MAX,
    change_webhook,
    disable_webhook,
    enable_webhook,
    remove_webhook,
    rotate_secret,
    send_test,
)
from boards.webhooks.sending import secrets_of
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from obeya.records import Channel
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.webhooks.endpoints import Subscription, Target
from tests.webhooks.conftest import Make

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]
URL = "https://hooks.example.org/services/T0/SECRETPATH"


def events() -> list[str]:
    rows = AuditEvent.objects.filter(action__startswith="webhook.").order_by("pk")
    return list(rows.values_list("action", flat=True))


def change(row: Webhook, actor: Actor, **more: Any) -> Webhook:
    values = {"name": row.name, "address": row.address, "subscription": Subscription(), **more}
    return change_webhook(uid=row.uid, actor=actor, at=timezone.now(), **values)


def test_an_endpoint_is_created_changed_and_removed_with_an_event_each(
    make: Make, actor: Actor
) -> None:
    row, secret = make(URL, types=("model_version.stage_transitioned",), stages=(Stage.PRODUCTION,))
    assert secret.startswith("whsec_")
    change(row, actor, name="deploy")
    # Saving the same values again writes nothing.
    change(row, actor, name="deploy")
    remove_webhook(uid=row.uid, actor=actor, at=timezone.now())
    assert events() == ["webhook.created", "webhook.changed", "webhook.removed"]
    with pytest.raises(NotFound):
        change(row, actor)
    # The name can be used again.
    make(URL, "deploy")


def test_neither_database_nor_log_contains_a_secret_in_clear_text(make: Make, actor: Actor) -> None:
    row, secret = make(URL)
    _, newer = rotate_secret(uid=row.uid, actor=actor, at=timezone.now())
    tables = [name for name in connection.introspection.table_names() if name.startswith("boards_")]
    dump = ""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - a table of ours
            dump += repr(cursor.fetchall())
    for text in (secret, newer):
        assert text not in dump
        assert text.removeprefix("whsec_") not in dump
    log = "".join(AuditEvent.objects.values_list("canonical_text", flat=True))
    assert "SECRETPATH" not in log
    assert "https://hooks.example.org" in log


def test_both_secrets_sign_until_the_old_one_expires(make: Make, actor: Actor) -> None:
    row, old = make(URL)
    at = timezone.now()
    row, new = rotate_secret(uid=row.uid, overlap_hours=24, actor=actor, at=at)
    assert secrets_of(row, at + timedelta(hours=23)) == [new, old]
    assert secrets_of(row, at + timedelta(hours=25)) == [new]
    row, newest = rotate_secret(uid=row.uid, overlap_hours=0, actor=actor, at=at)
    assert secrets_of(row, at) == [newest]
    for hours in (-1, 337):
        with pytest.raises(InvalidInput):
            rotate_secret(uid=row.uid, overlap_hours=hours, actor=actor, at=at)


def test_a_secret_is_readable_with_a_previous_key_and_not_with_another(
    make: Make, settings: Any
) -> None:
    row, secret = make(URL)
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another key of this installation"
    settings.SECRET_KEY_FALLBACKS = [before]
    assert secrets_of(row, timezone.now()) == [secret]
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(Unopenable):
        secrets_of(row, timezone.now())


def test_a_stale_page_changes_nothing(make: Make, actor: Actor) -> None:
    row, _ = make(URL)
    change(row, actor, name="first", expected_revision=1)
    with pytest.raises(Conflict):
        change(row, actor, name="second", expected_revision=1)
    assert Webhook.objects.get().name == "first"


def test_names_must_be_unique_and_addresses_valid(make: Make, actor: Actor) -> None:
    row, _ = make(URL)
    with pytest.raises(AlreadyExists):
        make(URL)
    other, _ = make(URL, "other")
    with pytest.raises(AlreadyExists):
        change(other, actor, name="ci")
    for name in ("", " ", "x" * 101, "a\x00b"):
        with pytest.raises(InvalidInput):
            change(row, actor, name=name)
    with pytest.raises(InvalidInput, match="OBEYA_EMAIL_URL"):
        make("ops@example.org", "mail", target=Target.EMAIL)


def test_there_are_at_most_a_hundred_endpoints(make: Make) -> None:
    for number in range(WEBHOOKS_MAX):
        make(URL, f"endpoint {number}")
    with pytest.raises(InvalidInput, match="Remove one first"):
        make(URL, "one more")


def test_disabling_cancels_pending_deliveries_and_enabling_starts_again(
    make: Make, actor: Actor, models_of: Any
) -> None:
    row, _ = make(URL)
    models_of.register_model("resnet50")
    sent = Delivery.objects.count()
    disable_webhook(uid=row.uid, reason="Rebuilt", actor=actor, at=timezone.now())
    models_of.register_model("resnet50")
    assert set(Delivery.objects.values_list("status", flat=True)) == {"cancelled"}
    assert Delivery.objects.count() == sent
    with pytest.raises(InvalidInput, match="Enable it first"):
        send_test(uid=row.uid, actor=actor, at=timezone.now())
    enable_webhook(uid=row.uid, actor=actor, at=timezone.now())
    models_of.register_model("resnet50")
    assert Delivery.objects.filter(status="pending").count() > 0
    disabled = AuditEvent.objects.get(action="webhook.disabled")
    assert {text.role: text.text for text in disabled.texts.all()} == {
        "name": "ci",
        "reason": "Rebuilt",
    }


@pytest.mark.parametrize("group", ["viewer", "contributor", "promoter", "approver"])
def test_only_administrators_manage_endpoints(make: Make, group: str) -> None:
    row, _ = make(URL)
    user = create_user(username="other", group=group, actor=SYSTEM, at=timezone.now())
    other, at = Actor(user, Channel.API), timezone.now()
    deeds = [
        lambda: change(row, other),
        lambda: rotate_secret(uid=row.uid, actor=other, at=at),
        lambda: enable_webhook(uid=row.uid, actor=other, at=at),
        lambda: disable_webhook(uid=row.uid, actor=other, at=at),
        lambda: remove_webhook(uid=row.uid, actor=other, at=at),
        lambda: send_test(uid=row.uid, actor=other, at=at),
        lambda: replay(pk=1, actor=other, at=at),
        lambda: replay_failed(uid=row.uid, since=at, actor=other, at=at),
    ]
    before = AuditEvent.objects.count()
    for deed in deeds:
        with pytest.raises(NotAllowed):
            deed()
    assert AuditEvent.objects.count() == before
