"""Verification finds and names rows that were changed without an event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.access.actors import Actor
from boards.models import (
    AuditEvent,
    ModelVersion,
    PolicyCheck,
    RegisteredModel,
    User,
    Waiver,
)
from boards.queries.verification.rows_verification import differing_rows
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from boards.registry.policies.waivers import revoke_waiver
from obeya import Comparison, PromotionPolicy, Stage
from obeya.records import Channel
from tests.append_only import drop_triggers
from tests.unreadable_texts import UNREADABLE, WRONG_DATA, with_member

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]


@pytest.fixture
def registry(alice: User) -> DatabaseRegistry:
    """Register a model with a promotion by waiver, a refused move and a revoked waiver."""
    registry = DatabaseRegistry(actor=alice)
    policy = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
    registry.set_policy(policy)
    until = timezone.now() + timedelta(days=3)
    for _ in range(2):
        registry.register_model("resnet50", metrics={"accuracy": 0.8})
    for number in (1, 2):
        registry.waive("resnet50", number, ["accuracy ≥ 0.9"], reason="Known.", expires_at=until)
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    waiver = Waiver.objects.get(version__number=2)

    revoke_waiver(uid=waiver.uid, actor=Actor(alice, Channel.PYTHON), at=timezone.now())
    return registry


def test_unchanged_rows_agree_with_the_log(registry: DatabaseRegistry) -> None:
    assert list(differing_rows()) == []
    assert verify_chains().rows == ()


TAMPERING: dict[str, tuple[Callable[[], object], str]] = {
    "check rewritten": (
        lambda: PolicyCheck.objects.filter(passed=True).update(passed=False),
        "resnet50 v1: the stored check",
    ),
    "check deleted": (lambda: PolicyCheck.objects.all().delete(), "is missing"),
    "waiver's reason": (
        lambda: Waiver.objects.filter(version__number=1).update(reason="Other."),
        "resnet50 v1: the waiver",
    ),
    "waiver's end": (
        lambda: Waiver.objects.filter(version__number=1).update(
            expires_at=timezone.now() + timedelta(days=300)
        ),
        "(expires_at)",
    ),
    "waiver's lines": (
        lambda: Waiver.objects.filter(version__number=1).update(requirements=["f1 ≥ 1"]),
        "(requirements)",
    ),
    "revoked in silence": (
        lambda: Waiver.objects.filter(version__number=1).update(revoked_at=timezone.now()),
        "no event",
    ),
    "revocation undone": (
        lambda: Waiver.objects.filter(version__number=2).update(revoked_at=None),
        "was revoked",
    ),
    "moved in silence": (
        lambda: ModelVersion.objects.filter(number=2).update(stage="production"),
        "resnet50 v2: its stage is Production, but its last move was to Development.",
    ),
    "miscounted": (
        lambda: RegisteredModel.objects.update(staging_count=7),
        "resnet50: its counter for Staging is 7, but it has 0 versions there.",
    ),
    "uncrowned": (
        lambda: RegisteredModel.objects.update(champion=None),
        "resnet50: it has versions in Production but no champion.",
    ),
}


@pytest.mark.parametrize("tamper", TAMPERING)
def test_rows_changed_without_an_event_are_named(registry: DatabaseRegistry, tamper: str) -> None:
    change, says = TAMPERING[tamper]
    change()
    assert any(says in sentence for sentence in verify_chains().rows)


def test_a_changed_granter_is_named(registry: DatabaseRegistry, alice: User) -> None:
    mallory = create_user(
        username="mallory",
        group="viewer",
        actor=Actor(alice, Channel.PYTHON),
        at=timezone.now(),
    )
    Waiver.objects.filter(version__number=1).update(granted_by=mallory)
    assert any("(granted_by)" in sentence for sentence in differing_rows())


@pytest.fixture
def without_triggers(registry: DatabaseRegistry) -> None:
    """Drop the log's triggers, as the owner of the database could."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    drop_triggers(connection)


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize("how", UNREADABLE)
def test_an_unreadable_event_is_left_to_the_verification_of_its_chain(how: str) -> None:
    for row in AuditEvent.objects.exclude(version=None):
        # So that the row is checked, whatever it contains.
        text = UNREADABLE[how](row.canonical_text) + ' "check_digest"'
        AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text)
    assert list(differing_rows()) == []


@pytest.mark.usefixtures("without_triggers")
@pytest.mark.parametrize("data", WRONG_DATA.values(), ids=WRONG_DATA)
def test_an_event_with_data_of_wrong_types_disagrees_with_the_rows(data: str) -> None:
    for row in AuditEvent.objects.exclude(version=None):
        text = with_member(row.canonical_text, "data", data)
        AuditEvent.objects.filter(pk=row.pk).update(canonical_text=text)
    found = list(differing_rows())
    assert found
    assert all(sentence.isprintable() for sentence in found)
    assert verify_chains().broken


def test_the_number_of_statements_does_not_grow_with_the_events(registry: DatabaseRegistry) -> None:
    taken = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as statements:
            list(differing_rows())
        taken.append(len(statements))
        for _ in range(20):
            made = registry.register_model("other", metrics={"accuracy": 0.95})
            registry.transition_stage("other", made.version, Stage.STAGING)
    assert taken[0] == taken[1]
