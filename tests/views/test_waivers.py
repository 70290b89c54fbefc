"""Granting, listing and revoking waivers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.models import AuditEvent, User, Waiver
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from tests.views.page_text import text_of
from tests.views.people import person, staged_version

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
WAIVE = "/models/resnet50/versions/1/waive/"
VERSION = "/models/resnet50/versions/1/"
LINE = "accuracy ≥ 0.99"
FIELDS = {"to_stage": "production", "requirement": LINE, "reason": "Ran it by hand", "expires": "7"}


@pytest.fixture
def anna(client_of: ClientOf) -> Client:
    return client_of(person("anna", "approver"))


@pytest.fixture
def failing(registry: DatabaseRegistry) -> None:
    """Register v1 of resnet50 in Staging, with an accuracy too low for Production."""
    staged_version(registry)
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.5)
        .require_metric("accuracy", Comparison.GTE, 0.99)
    )


def grant(registry: DatabaseRegistry, days: int = 7) -> Waiver:
    registry.waive(
        "resnet50",
        1,
        [LINE],
        reason="Ran it by hand",
        expires_at=timezone.now() + timedelta(days=days),
        to_stage=Stage.PRODUCTION,
    )
    return Waiver.objects.latest("pk")


def expire(waiver: Waiver) -> None:
    at = timezone.now()
    Waiver.objects.filter(pk=waiver.pk).update(
        granted_at=at - timedelta(days=2), expires_at=at - timedelta(days=1)
    )


def test_the_form_opens_with_failing_requirements_selected_and_first(
    failing: None, anna: Client
) -> None:
    link = re.search(rf'href="({WAIVE}[^"]*)"', text_of(anna.get(VERSION)))
    assert link
    page = text_of(anna.get(link[1].replace("&amp;", "&")))
    assert page.index(LINE) < page.index("accuracy ≥ 0.5")
    assert f'value="{LINE}" checked' in page
    assert 'value="accuracy ≥ 0.5" checked' not in page
    assert "accuracy is 0.95; required: ≥ 0.99." in page


@pytest.mark.usefixtures("failing")
def test_a_stage_before_the_current_one_is_not_offered(
    registry: DatabaseRegistry, anna: Client
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_metric("f1", Comparison.GTE, 0.5))
    page = text_of(anna.get(WAIVE))
    assert LINE in page
    assert "For Staging" not in page


def test_a_waiver_lets_the_version_pass_and_is_shown(
    failing: None, registry: DatabaseRegistry, anna: Client
) -> None:
    before = timezone.now()
    answer = anna.post(WAIVE, FIELDS, follow=True)
    assert answer.redirect_chain == [(VERSION, 302)]
    page = text_of(answer)
    assert "Waived one requirement of resnet50 v1 for Production." in page
    assert "2 of 2 requirements passed for Production, 1 by waiver." in page
    assert "Ran it by hand" in page
    made = Waiver.objects.get()
    assert made.requirements == [LINE]
    assert timedelta(days=7) <= made.expires_at - before < timedelta(days=7, minutes=5)
    assert AuditEvent.objects.get(action="waiver.granted").actor.username == "anna"
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    check = re.search(r'href="(/checks/[^"]+)"', text_of(anna.get(VERSION)))
    assert check
    page = text_of(anna.get(check[1]))
    assert "Passed by waiver and moved" in page
    assert "Waived by anna." in page
    assert "Ran it by hand" in page


@pytest.mark.parametrize(
    ("zone", "end"),
    [
        ("Asia/Tokyo", datetime(2031, 5, 6, 15, tzinfo=UTC)),
        ("America/New_York", datetime(2031, 5, 7, 4, tzinfo=UTC)),
        ("", datetime(2031, 5, 7, tzinfo=UTC)),
        ("No/Such", datetime(2031, 5, 7, tzinfo=UTC)),
        ("../../etc/passwd", datetime(2031, 5, 7, tzinfo=UTC)),
    ],
)
def test_a_day_ends_in_the_readers_time_zone(
    failing: None, anna: Client, zone: str, end: datetime
) -> None:
    anna.post(WAIVE, {**FIELDS, "expires": "date", "expires_on": "2031-05-06", "time_zone": zone})
    assert Waiver.objects.get().expires_at == end


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"reason": " "}, "reason", "A reason is required to waive a requirement."),
        ({"requirement": ""}, "requirement", "Choose at least one requirement to waive."),
        ({"requirement": "recall ≥ 1"}, "requirement", "has no requirement “recall ≥ 1”"),
        ({"expires": ""}, "expires_on", "Choose when the waiver ends."),
        ({"expires": "date"}, "expires_on", "Enter the last day of the waiver"),
        ({"expires": "date", "expires_on": "2020-01-01"}, "expires_on", "must be in the future"),
        ({"expires": "date", "expires_on": "9999-12-31"}, "expires_on", "Enter the last day"),
        (
            {"expires": "date", "expires_on": "9999-12-30"},
            "expires_on",
            "can last at most 10 years",
        ),
    ],
)
def test_an_error_is_shown_beside_its_field_and_the_rest_is_kept(
    failing: None, anna: Client, fields: dict[str, str], field: str, sentence: str
) -> None:
    answer = anna.post(WAIVE, {**FIELDS, **fields})
    assert answer.status_code == 400
    page = text_of(answer)
    assert sentence in page
    assert f'aria-describedby="{field}_error"' in page
    if field != "reason":
        assert "Ran it by hand</textarea>" in page
    assert not Waiver.objects.exists()


def test_waiving_requires_the_waive_permission(failing: None, client_of: ClientOf) -> None:
    carol = client_of(person("carol", "contributor"))
    assert "/waive/" not in text_of(carol.get(VERSION))
    for answer in (carol.get(WAIVE), carol.post(WAIVE, FIELDS)):
        assert answer.status_code == 403
        assert "carol does not have permission to waive requirements." in text_of(answer)
    assert not Waiver.objects.exists()


def test_a_waiver_can_be_requested_without_the_permission(
    failing: None, registry: DatabaseRegistry, client_of: ClientOf
) -> None:
    carol = client_of(person("carol", "contributor"))
    answer = carol.post(f"{VERSION}check/", {"to_stage": "production"}, follow=True)
    link = re.search(r'href="([^"]*/request/[^"]*)">Request a waiver', text_of(answer))
    assert link
    form = text_of(carol.get(link[1].replace("&amp;", "&")))
    assert f"Please waive: {LINE}. Reason: " in form


def test_without_a_policy_there_is_nothing_to_waive(
    registry: DatabaseRegistry, anna: Client
) -> None:
    staged_version(registry)
    assert "there is nothing to waive" in text_of(anna.get(WAIVE))
    assert anna.post(WAIVE, FIELDS).status_code == 400


def test_a_waiver_is_revoked_after_confirmation(
    failing: None, registry: DatabaseRegistry, anna: Client
) -> None:
    waiver = grant(registry)
    path = f"/waivers/{waiver.uid}/revoke/"
    assert path in text_of(anna.get(VERSION))
    page = text_of(anna.get(path))
    assert "Revoke this waiver?" in page
    assert LINE in page
    answer = anna.post(path, {"reason": "It was a mistake", "next": "/waivers/"}, follow=True)
    assert answer.redirect_chain == [("/waivers/", 302)]
    page = text_of(anna.get(VERSION))
    assert "revoked by anna" in page
    assert "1 of 2 requirements failed" in page
    event = AuditEvent.objects.get(action="waiver.revoked")
    assert event.texts.get().text == "It was a mistake"
    again = anna.post(path)
    assert again.status_code == 409
    assert "is already revoked or expired" in text_of(again)
    assert "This waiver is revoked" in text_of(again)


def test_revoking_requires_the_permission_and_an_existing_waiver(
    failing: None, registry: DatabaseRegistry, anna: Client, client_of: ClientOf
) -> None:
    path = f"/waivers/{grant(registry).uid}/revoke/"
    carol = client_of(person("carol", "contributor"))
    assert carol.get(path).status_code == 403
    assert carol.post(path).status_code == 403
    assert path not in text_of(carol.get(VERSION))
    assert anna.get(f"/waivers/{uuid.uuid4()}/revoke/").status_code == 404


def test_the_list_separates_active_and_past_waivers(
    failing: None, registry: DatabaseRegistry, anna: Client
) -> None:
    assert "There are no active waivers." in text_of(anna.get("/waivers/"))
    expire(grant(registry))
    grant(registry)
    active, past = text_of(anna.get("/waivers/")), text_of(anna.get("/waivers/?view=past"))
    assert 'attention">active' in active
    assert "expired" not in active
    assert ">expired</span>" in past
    assert "/revoke/" not in past
    assert anna.get("/waivers/?view=none").status_code == 400


def test_the_list_is_paged_with_a_fixed_number_of_statements(
    failing: None, registry: DatabaseRegistry, anna: Client
) -> None:
    grant(registry)
    anna.get("/waivers/")
    with CaptureQueriesContext(connection) as few:
        anna.get("/waivers/")
    for _ in range(51):
        grant(registry)
    with CaptureQueriesContext(connection) as many:
        page = text_of(anna.get("/waivers/"))
    assert len(few) == len(many)
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older
    page = text_of(anna.get(older[1].replace("&amp;", "&")))
    assert page.count('class="waiver"') == 2
