"""The record of promotions, refusals, rollbacks and waivers: page, JSON, integrity."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from boards.models import AuditEvent, AuditText, PolicyCheck, RegisteredModel, User
from boards.registry.database import DatabaseRegistry
from boards.triggers import _POSTGRESQL, _SQLITE
from obeya import Comparison, PromotionPolicy, Stage, TransitionRefused
from obeya.audit.chain import document_digest
from tests.views.page_text import text_of
from tests.views.people import open_request, person, registry_of, staged_version

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]


@pytest.fixture
def victor_client(client_of: ClientOf, victor: User) -> Client:
    return client_of(victor)


@pytest.fixture
def promoted(registry: DatabaseRegistry) -> AuditEvent:
    """Promote v2 in place of v1, with two approvals and one waived requirement."""
    staged_version(registry, 0.93)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    staged_version(registry)
    open_request(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_metric("recall", Comparison.GTE, 0.5)
        .require_approvals(2),
        number=2,
    )
    registry_of("anna", "approver").waive(
        "resnet50",
        2,
        ["recall ≥ 0.5"],
        reason="Measured next week",
        expires_at=timezone.now() + timedelta(days=7),
    )
    registry_of("anna", "approver").approve("resnet50", 2, comment="I ran it myself")
    registry_of("bob", "approver").approve("resnet50", 2)
    registry_of("peter", "promoter").transition_stage(
        "resnet50", 2, Stage.PRODUCTION, reason="Both agree", archive_existing=True
    )
    return AuditEvent.objects.get(version__number=2, to_stage="production", operation__isnull=False)


def path_of(event: AuditEvent) -> str:
    return f"/records/{RegisteredModel.objects.get(pk=event.model_id).uid}/{event.sequence}/"


def latest(action: str) -> AuditEvent:
    return AuditEvent.objects.filter(action=action).latest("pk")


def change_the_log(event: AuditEvent, **columns: Any) -> None:
    """Write to the log without its triggers, as the owner of the database could."""
    on_table = "" if connection.vendor == "sqlite" else " ON boards_auditevent"
    names = _SQLITE if connection.vendor == "sqlite" else _POSTGRESQL
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")
    AuditEvent.objects.filter(pk=event.pk).update(**columns)


def test_a_promotion_record_shows_actor_reason_policy_and_evidence(
    promoted: AuditEvent, victor_client: Client
) -> None:
    page = text_of(victor_client.get(path_of(promoted)))
    for text in (
        "Record: promotion",
        "resnet50 v2",
        "<strong>peter</strong>",
        "via python",
        "Both agree",
        "Default policy for Production, revision 1",
        "v1</a> from Production to Archived",
        "2 of 2 requirements passed for Production, 1 by waiver.",
        "recall was not measured. Waived by anna.",
        "Measured next week",
        "2 of 2 required",
        "I ran it myself",
        "Champion v1",
        "s3://models/resnet50",
        "sha256:abab",
        promoted.hash,
        promoted.previous_hash,
        PolicyCheck.objects.get(uid=promoted.data["check"]).evidence_digest,
        "verified (hash, chain and evidence match)",
        "obeya audit verify",
        "Better than v1",
    ):
        assert text in page, text
    assert 'role="alert"' not in page


def test_the_record_is_available_as_json_and_its_text_has_the_hash(
    promoted: AuditEvent, victor_client: Client
) -> None:
    answer = victor_client.get(f"{path_of(promoted)}record.json")
    assert answer["Content-Type"] == "application/json"
    record = answer.json()
    assert record["kind"] == "promotion"
    assert (record["model"], record["version"]) == ("resnet50", 2)
    assert (record["from_stage"], record["to_stage"]) == ("staging", "production")
    assert (record["actor"], record["channel"], record["reason"]) == (
        "peter",
        "python",
        "Both agree",
    )
    text = record["chain"]["canonical_text"]
    assert hashlib.sha256(text.encode()).hexdigest() == record["chain"]["hash"]
    assert record["chain"]["sequence"] == promoted.sequence
    check = record["check"]
    evidence = check["digested"]["evidence"]
    assert evidence["version"]["metrics"]["accuracy"]["value"] == 0.95
    assert evidence["champion"]["metrics"]["accuracy"]["value"] == 0.93
    assert [a["voter"] for a in evidence["approvals"]] == ["anna", "bob"]
    said = json.loads(text)["data"]
    assert document_digest(check["digested"]) == said["check_digest"] == check["stated_digest"]
    assert check["policy"]["revision"] == 1
    assert check["stated_digest"] == check["present_digest"]
    assert [other["version"] for other in record["also_moved"]] == [1]
    assert record["request"]["requested_by"] == "peter"
    assert set(record["verification"].values()) == {True}


def test_later_metrics_do_not_change_the_record(
    promoted: AuditEvent, registry: DatabaseRegistry, victor_client: Client
) -> None:
    before = victor_client.get(f"{path_of(promoted)}record.json").json()
    registry.log_metrics("resnet50", 2, {"accuracy": 0.1})
    registry.set_policy(PromotionPolicy(Stage.PRODUCTION))
    assert victor_client.get(f"{path_of(promoted)}record.json").json() == before
    assert "(replaced since)" in text_of(victor_client.get(path_of(promoted)))


def test_a_move_by_the_registry_names_the_last_approver(
    registry: DatabaseRegistry, victor_client: Client
) -> None:
    staged_version(registry)
    open_request(PromotionPolicy(Stage.PRODUCTION, required_approvals=1, auto_promote=True))
    registry_of("anna", "approver").approve("resnet50", 1)
    page = text_of(victor_client.get(path_of(latest("model_version.stage_transitioned"))))
    assert "<strong>system</strong>, by the last approval of <strong>anna</strong>" in page
    assert "1 of 1 required" in page


def test_a_refusal_lists_every_reason(registry: DatabaseRegistry, victor_client: Client) -> None:
    staged_version(registry)
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.99)
        .require_approvals(1)
    )
    with pytest.raises(TransitionRefused):
        registry.transition_stage("resnet50", 1, Stage.PRODUCTION, reason="Let me")
    event = latest("model_version.transition_refused")
    page = text_of(victor_client.get(path_of(event)))
    assert "Record: refusal" in page
    assert "Let me" in page
    assert "accuracy is 0.95; required: ≥ 0.99." in page
    assert "1 more approval is needed (0 of 1 given)." in page
    check = text_of(victor_client.get(f"/checks/{event.data['check']}/"))
    assert path_of(event) in check


def test_a_rollback_lists_restored_and_archived_versions(
    promoted: AuditEvent, registry: DatabaseRegistry, victor_client: Client
) -> None:
    registry.rollback("resnet50", reason="Errors doubled")
    back, gone = AuditEvent.objects.filter(action="model_version.rolled_back").order_by("to_stage")[
        ::-1
    ]
    page = text_of(victor_client.get(path_of(back)))
    assert "Record: rollback" in page
    assert "Errors doubled" in page
    assert "v2</a> from Production to Archived" in page
    assert path_of(gone) in page
    assert "v1</a> from Archived to Production" in text_of(victor_client.get(path_of(gone)))
    assert "1 of 2 requirements failed for Production." in page


def test_a_waiver_and_its_revocation_have_records(
    promoted: AuditEvent, victor_client: Client, client_of: ClientOf
) -> None:
    granted = latest("waiver.granted")
    page = text_of(victor_client.get(path_of(granted)))
    assert "Record: waiver" in page
    assert "recall ≥ 0.5" in page
    assert "Measured next week" in page
    assert "Not revoked" in page
    uid = granted.data["waiver"]
    client_of(person("anna", "approver")).post(
        f"/waivers/{uid}/revoke/", {"reason": "Measured now"}
    )
    page = text_of(victor_client.get(path_of(latest("waiver.revoked"))))
    assert "Record: revoked waiver" in page
    assert "Measured now" in page
    assert "Revoked by anna" in text_of(victor_client.get(path_of(granted)))


def test_the_log_links_to_the_records(promoted: AuditEvent, victor_client: Client) -> None:
    for path in ("/audit/", "/models/resnet50/history/", "/models/resnet50/versions/2/history/"):
        assert path_of(promoted) in text_of(victor_client.get(path))


# --- Tampering is shown ---------------------------------------------------------------------------


def test_a_check_changed_in_the_database_is_reported(
    promoted: AuditEvent, victor_client: Client
) -> None:
    check = PolicyCheck.objects.get(uid=promoted.data["check"])
    check.evidence["version"]["metrics"]["accuracy"]["value"] = 0.99
    PolicyCheck.objects.filter(pk=check.pk).update(evidence=check.evidence)
    page = text_of(victor_client.get(path_of(promoted)))
    assert "The stored check was changed after this event was written" in page
    assert promoted.data["check_digest"] in page
    assert "not verified; see above" in page
    record = victor_client.get(f"{path_of(promoted)}record.json").json()
    assert record["verification"]["check_is_what_the_event_says"] is False


def test_a_check_deleted_from_the_database_is_reported(
    promoted: AuditEvent, victor_client: Client
) -> None:
    PolicyCheck.objects.filter(uid=promoted.data["check"]).delete()
    page = text_of(victor_client.get(path_of(promoted)))
    assert "The policy check of this event no longer exists." in page


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"canonical_text": '{"data":{}}'}, "Its text does not match its hash"),
        ({"canonical_text": "no JSON"}, "Its text does not match its hash"),
        ({"previous_hash": "f" * 64}, "It does not follow the previous event."),
    ],
)
def test_an_event_changed_in_the_database_is_reported(
    promoted: AuditEvent, victor_client: Client, columns: dict[str, str], sentence: str
) -> None:
    change_the_log(promoted, **columns)
    answer = victor_client.get(path_of(promoted))
    assert answer.status_code == 200
    assert sentence in text_of(answer)


def test_a_reason_changed_in_the_database_is_reported(
    promoted: AuditEvent, victor_client: Client
) -> None:
    AuditText.objects.filter(event=promoted).update(text="Another reason")
    page = text_of(victor_client.get(path_of(promoted)))
    assert "A free text does not match its digest." in page


# --- Pages without a record -----------------------------------------------------------------------


def test_other_events_and_wrong_addresses_have_no_record(
    promoted: AuditEvent, victor_client: Client
) -> None:
    chain = RegisteredModel.objects.get(pk=promoted.model_id).uid
    assert victor_client.get(f"/records/{chain}/1/").status_code == 404
    for sequence in (0, 9_999, 2**70):
        assert victor_client.get(f"/records/{chain}/{sequence}/").status_code == 404
    other = "0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77"
    assert victor_client.get(f"/records/{other}/1/").status_code == 404


def test_a_record_outlives_its_version(
    promoted: AuditEvent, registry: DatabaseRegistry, victor_client: Client
) -> None:
    path = path_of(promoted)
    registry.delete_version("resnet50", 2)
    page = text_of(victor_client.get(path))
    assert "<s>resnet50 v2</s>" in page
    assert "Both agree" in page


def test_records_require_the_view_permission(promoted: AuditEvent, client: Client) -> None:
    answer = client.get(path_of(promoted))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")
    client.force_login(User.objects.create(username="nobody"))
    assert client.get(path_of(promoted)).status_code == 403


def test_the_canonical_text_is_on_the_page(promoted: AuditEvent, victor_client: Client) -> None:
    page = text_of(victor_client.get(path_of(promoted)))
    found = re.search(r"<details[^>]*>.*?<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert found
    assert found[1].replace("&quot;", '"') == promoted.canonical_text
