"""Imported versions are marked as imported; a model without versions shows how to register one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, User
from boards.registry.catalog.registration import create_model
from boards.registry.database import DatabaseRegistry
from boards.registry.transfer.imports import import_model
from boards.registry.transitions.checks import record_policy_check
from obeya import Stage
from obeya.imports import ImportedModel, ImportedVersion
from obeya.policy.policy import PromotionPolicy
from obeya.policy.rules import RequiredDescription
from obeya.records import Channel
from tests.offenders import every_case
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
MADE = datetime(2024, 5, 1, 10, tzinfo=UTC)
MOVED = datetime(2024, 6, 1, 12, tzinfo=UTC)
ORIGIN = "https://mlflow.example.org"


@pytest.fixture
def imported() -> None:
    version = ImportedVersion(3, Stage.PRODUCTION, MADE, MOVED)
    import_model(
        imported=ImportedModel("churn", ORIGIN, MADE, versions=(version,)), actor=SYSTEM, at=MOVED
    )


def page_of(client: Client, address: str) -> str:
    return text_of(client.get(address))


def marks(page: str) -> int:
    """Count the marks of a page, without its legend."""
    legend = '<dt><span class="lamp lamp-attention">imported, not checked</span>'
    return page.replace(legend, "").count("mported, not checked")


def test_an_imported_version_shows_its_source_and_creation_time(
    imported: None, registry: DatabaseRegistry, client_of: ClientOf, victor: User
) -> None:
    page = page_of(client_of(victor), "/models/churn/versions/3/")
    assert page.count(", imported") == 2
    assert marks(page) == 2
    assert "2024-06-01 12:00" in page
    assert [move.is_imported for move in registry.get_transitions("churn", 3)] == [True] * 2
    registry.transition_stage("churn", 3, Stage.ARCHIVED)
    assert [move.is_imported for move in registry.get_transitions("churn", 3)] == [
        True,
        True,
        False,
    ]


def test_the_log_names_the_source_of_an_import(
    imported: None, client_of: ClientOf, victor: User
) -> None:
    page = page_of(client_of(victor), "/audit/?channel=import")
    for told in (
        "via import",
        "imported from",
        ORIGIN,
        "created at the source",
        "2024-05-01 10:00 UTC",
    ):
        assert told in page
    assert "created_at" not in page


def test_an_imported_version_is_marked_wherever_its_stage_is_shown(
    imported: None, client_of: ClientOf, alice: User
) -> None:
    registry = DatabaseRegistry(actor=alice)
    registry.register_model("churn")
    registry.transition_stage("churn", 4, Stage.STAGING)
    request = registry.request_transition("churn", 4)
    check = record_policy_check(
        name="churn", version=4, actor=Actor(alice, Channel.PAGE), at=timezone.now()
    )
    move = AuditEvent.objects.get(action="model_version.stage_transitioned", channel="import")
    pages = {
        "/": 1,
        "/board/production/": 1,
        "/?at=2024-07-01": 1,
        "/models/": 1,
        # The champion, its time in Production (drawn and listed), and its row.
        "/models/churn/": 4,
        "/models/churn/?production_on=2024-07-01": 5,
        "/models/churn/versions/3/": 2,
        "/compare/?v=churn:4": 1,
        "/audit/?channel=import": 1,
        f"/records/{move.model.uid}/{move.sequence}/": 2,
        f"/requests/{request.id}/": 1,
        f"/checks/{check.uid}/": 1,
    }
    client = client_of(alice)
    with every_case() as case:
        for address, times in pages.items():
            with case(address):
                assert marks(page_of(client, address)) == times
    record = client.get(f"/records/{move.model.uid}/{move.sequence}/record.json").json()
    assert (record["kind"], record["imported_unchecked"]) == ("import", True)
    # The version that replaces it is checked, and so is its own way back.
    registry.set_policy(PromotionPolicy(Stage.PRODUCTION).require(RequiredDescription()), "churn")
    for number in (3, 4):
        registry.set_description("churn", "A text", version=number)
    registry.transition_stage("churn", 4, Stage.PRODUCTION, archive_existing=True)
    registry.rollback("churn", reason="Errors")
    assert not registry.get_version("churn", 3).imported_unchecked
    assert not any(
        marks(page_of(client, address))
        for address in ("/board/production/", "/models/", "/compare/?v=churn:3")
    )
    assert marks(page_of(client, "/?at=2024-07-01")) == 1


def test_a_model_without_a_version_says_how_to_get_one(
    client_of: ClientOf, alice: User, victor: User
) -> None:
    create_model(name="to come", actor=SYSTEM, at=MADE)
    page = page_of(client_of(alice), "/models/to%20come/")
    assert "No versions yet. Register one from any shell:" in page
    assert "obeya register &#x27;to come&#x27; --metric accuracy=0.93" in page
    assert "Differences are relative to the champion" not in page
    assert "obeya register" not in page_of(client_of(victor), "/models/to%20come/")
    assert "to come" in page_of(client_of(victor), "/models/")
