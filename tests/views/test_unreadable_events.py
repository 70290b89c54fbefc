"""Pages, files and API responses about events whose texts were made unreadable in the database."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from boards.access.actors import Actor
from boards.models import AuditEvent, PolicyCheck, RegisteredModel, TransitionRequest, User
from boards.registry.accounts.tokens import create_token
from boards.registry.database import DatabaseRegistry
from boards.registry.policies.waivers import revoke_waiver
from obeya import Comparison, PromotionPolicy, Stage, TransitionRefused
from obeya.audit.chain import event_hash
from obeya.audit.export import verify_export
from obeya.records import Channel
from obeya.tokens import Scope
from tests.append_only import drop_triggers
from tests.unreadable_texts import UNREADABLE, WRONG_DATA, with_member
from tests.views.people import open_request, registry_of, staged_version

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
WRONG = {
    f"data: {name}": lambda text, data=data: with_member(text, "data", data)
    for name, data in WRONG_DATA.items()
}
CHANGES = UNREADABLE | WRONG

# One example of each kind of failure; the others behave the same (tests/core/test_audit.py).
SAMPLE = {"nested", "nested data", "long number", "half a character", "texts list"}


def each_of(changes: Iterable[str]) -> list[Any]:
    return [
        pytest.param(how, marks=() if how in SAMPLE or how in WRONG else pytest.mark.release)
        for how in changes
    ]


@pytest.fixture
def filled(registry: DatabaseRegistry) -> RegisteredModel:
    """Register a promotion by request, a refused move, waivers, tags and another request."""
    staged_version(registry, 0.93)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    staged_version(registry)
    open_request(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_metric("recall", Comparison.GTE, 0.5)
        .require_approvals(1),
        number=2,
    )
    anna = registry_of("anna", "approver")
    with pytest.raises(TransitionRefused):
        registry.transition_stage("resnet50", 2, Stage.PRODUCTION, archive_existing=True)
    for is_revoked in (True, False):
        given = anna.waive(
            "resnet50",
            2,
            ["recall ≥ 0.5"],
            reason="Measured next week",
            expires_at=timezone.now() + timedelta(days=7),
        )
        if is_revoked:
            by = Actor(User.objects.get(username="anna"), Channel.PYTHON)
            revoke_waiver(uid=uuid.UUID(given.id), actor=by, at=timezone.now())
    anna.approve("resnet50", 2)
    registry_of("peter", "promoter").transition_stage(
        "resnet50", 2, Stage.PRODUCTION, reason="Better", archive_existing=True
    )
    staged_version(registry)
    open_request(number=3)
    registry.set_tag("resnet50", "family", "resnet", 3)
    registry.log_metrics("resnet50", 3, {"accuracy": 0.97})
    return RegisteredModel.objects.get()


def rewrite(how: str) -> None:
    """Change the text of every event and store the matching hash."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    drop_triggers(connection)
    for row in AuditEvent.objects.all():
        text = CHANGES[how](row.canonical_text)
        AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text, hash=event_hash(text))


def body_of(answer: object) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]  # any answer of the test client
    return content.decode()


def details_are_readable(client: Client, path: str) -> bool:
    """Return whether the record at this path, as JSON, has readable details."""
    told: bool = client.get(f"{path}record.json").json()["verification"]["details_are_readable"]
    return told


def records_of(model: RegisteredModel) -> list[str]:
    actions = (
        "model_version.stage_transitioned",
        "model_version.transition_refused",
        "waiver.granted",
        "waiver.revoked",
    )
    rows = AuditEvent.objects.filter(model=model, action__in=actions).order_by("sequence")
    assert {row.action for row in rows} == set(actions)
    return [f"/records/{model.uid}/{row.sequence}/" for row in rows]


@pytest.mark.parametrize("how", each_of(CHANGES))
def test_every_page_and_file_about_such_events_opens(
    filled: RegisteredModel, alice: User, client_of: ClientOf, how: str
) -> None:
    _, token = create_token(
        user=alice,
        name="a test",
        scopes=tuple(Scope),
        actor=Actor(alice, Channel.PAGE),
        at=timezone.now(),
    )
    rewrite(how)
    client = client_of(alice)
    now = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    for path in (
        "/audit/",
        "/audit/export.csv",
        "/audit/export.jsonl",
        "/models/resnet50/",
        "/models/resnet50/history/",
        "/models/resnet50/versions/3/",
        "/models/resnet50/versions/3/history/",
        f"/?at={now}",
        f"/models/resnet50/?production_on={now[:10]}",
        "/waivers/",
        *(f"/requests/{request.uid}/" for request in TransitionRequest.objects.all()),
        *(f"/checks/{check.uid}/" for check in PolicyCheck.objects.all()),
        *records_of(filled),
        *(f"{record}record.json" for record in records_of(filled)),
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert body_of(answer)
    headers = {"Authorization": f"Bearer {token}"}
    for path in (
        "/api/v1/audit/events",
        "/api/v1/models/resnet50/versions/3",
        "/api/2.0/mlflow/model-versions/get?name=resnet50&version=3",
        "/api/2.0/mlflow/registered-models/get?name=resnet50",
    ):
        answer = Client().get(path, headers=headers)
        assert answer.status_code == 200, path
        answer.json()


@pytest.mark.parametrize("how", each_of(UNREADABLE))
def test_pages_say_that_details_cannot_be_read(
    filled: RegisteredModel, alice: User, client_of: ClientOf, how: str
) -> None:
    rewrite(how)
    client = client_of(alice)
    events = AuditEvent.objects.count()
    assert body_of(client.get("/audit/")).count("<dt>details</dt>\n") == min(events, 50)
    for path in records_of(filled):
        page = body_of(client.get(path))
        assert "Its details cannot be read." in page
        assert "not verified; see above" in page
        assert details_are_readable(client, path) is False


def test_readable_details_are_marked_as_readable(
    filled: RegisteredModel, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    assert "<dt>details</dt>" not in body_of(client.get("/audit/"))
    for path in records_of(filled):
        assert "cannot be read" not in body_of(client.get(path))
        assert details_are_readable(client, path) is True


@pytest.mark.parametrize("how", each_of(UNREADABLE))
def test_the_button_names_the_broken_links_and_the_exports_are_complete(
    filled: RegisteredModel, alice: User, client_of: ClientOf, how: str
) -> None:
    rewrite(how)
    client = client_of(alice)
    assert "2 chains broken" in body_of(client.post("/audit/verify/", follow=True))
    assert f"Chain {filled.uid} (resnet50), event 1: its text is " in body_of(client.get("/audit/"))
    report = verify_export(io.BytesIO(body_of(client.get("/audit/export.jsonl")).encode()))
    assert {link.sequence for link in report.broken} == {1}
    assert (len(report.broken), report.events) == (2, AuditEvent.objects.count())
    rows = list(csv.DictReader(io.StringIO(body_of(client.get("/audit/export.csv")))))
    assert (len(rows), {row["data"] for row in rows}) == (report.events, {""})


@pytest.mark.parametrize(
    "value", ["2026-13-45T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
def test_a_tag_that_looks_like_a_time_is_shown_unchanged(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf, value: str
) -> None:
    registry.register_model("resnet50", tags={"until": value})
    answer = client_of(alice).get("/audit/")
    assert answer.status_code == 200
    assert value.replace("+", "&#x2B;") in body_of(answer).replace("+", "&#x2B;")
