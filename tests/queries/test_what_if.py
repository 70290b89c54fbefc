"""The impact preview of a draft policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from boards.models import PolicyCheck
from boards.queries.facts.records import find_model
from boards.queries.metrics.metric_names import unmeasured
from boards.queries.policies.what_if import FEW_PROMOTIONS, what_if
from boards.registry.database import DatabaseRegistry
from obeya.policy.artifact_rules import ArtifactDigest
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.stages import Stage

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ACCURATE = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.8)


@pytest.fixture
def registry(db: None) -> DatabaseRegistry:
    """Register twelve versions with accuracies from 0.5 to 1.05; odd ones are in Staging."""
    registry = DatabaseRegistry(actor=None, clock=lambda: NOON)
    for number in range(12):
        registry.register_model("resnet50", metrics={"accuracy": 0.5 + number / 20})
    for number in range(1, 13, 2):
        registry.transition_stage("resnet50", number, Stage.STAGING)
    return registry


def judged_by_registry(registry: DatabaseRegistry, policy: PromotionPolicy, name: str) -> int:
    return sum(
        registry.check_promotion_policy(name, version.version, policy).passed
        for version in registry.list_versions(name)
    )


@pytest.mark.parametrize(
    "policy",
    [
        ACCURATE,
        ACCURATE.require_metric("f1", Comparison.GT, 0),
        PromotionPolicy(Stage.STAGING).require_against_champion("accuracy", Comparison.GT, 0.1),
        PromotionPolicy(Stage.STAGING).require(RequiredTag("risk", "low")),
        PromotionPolicy(Stage.STAGING).require(RequiredDescription()),
        PromotionPolicy(Stage.STAGING).require(ArtifactDigest()),
        PromotionPolicy(Stage.STAGING).require(TimeInStage(24)),
        PromotionPolicy(Stage.STAGING).require_test_coverage(50),
        PromotionPolicy(Stage.STAGING),
    ],
)
def test_the_preview_agrees_with_single_policy_checks(
    registry: DatabaseRegistry, policy: PromotionPolicy
) -> None:
    registry.transition_stage("resnet50", 5, Stage.PRODUCTION)
    registry.set_tag("resnet50", "risk", "low", 3)
    registry.set_description("resnet50", "Text.", 4)
    registry.log_metrics("resnet50", 6, {"f1": 0.5, "test_coverage": 80})
    registry.register_model("resnet50", artifact_digest="a" * 64)
    found = what_if(policy, Stage.STAGING, None, NOON)
    assert found.versions == 13
    assert found.would_pass == judged_by_registry(registry, policy, "resnet50")
    assert len(found.passing) + len(found.failing) == 13


def test_few_past_promotions_are_named_and_many_are_counted(registry: DatabaseRegistry) -> None:
    few = what_if(ACCURATE, Stage.STAGING, None, NOON)
    assert few.has_few_promotions
    assert sorted((p.number, p.passes) for p in few.promotions) == [
        (1, False),
        (3, False),
        (5, False),
        (7, True),
        (9, True),
        (11, True),
    ]
    for number in range(2, 13, 2):
        registry.transition_stage("resnet50", number, Stage.STAGING)
    many = what_if(ACCURATE, Stage.STAGING, None, NOON)
    assert many.promoted == 12 >= FEW_PROMOTIONS
    assert (many.would_refuse, len(many.refused)) == (6, 6)


def test_past_promotions_are_checked_on_their_frozen_evidence(registry: DatabaseRegistry) -> None:
    registry.log_metrics("resnet50", 1, {"accuracy": 0.99})
    found = what_if(ACCURATE, Stage.STAGING, None, NOON)
    assert [p.passes for p in found.promotions if p.number == 1] == [False]


def test_neither_a_refusal_nor_a_rollback_is_a_promotion(registry: DatabaseRegistry) -> None:
    for number in (1, 3):
        registry.transition_stage("resnet50", number, Stage.PRODUCTION, archive_existing=True)
    registry.rollback("resnet50", reason="Errors.")
    registry.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(1))
    assert PolicyCheck.objects.filter(to_stage="production", allowed=True).count() == 3
    found = what_if(PromotionPolicy(Stage.PRODUCTION), Stage.PRODUCTION, None, NOON)
    assert found.promoted == 2


def test_a_draft_of_the_default_policy_skips_models_with_a_model_policy(
    registry: DatabaseRegistry,
) -> None:
    registry.register_model("bert", metrics={"accuracy": 0.9})
    registry.set_policy(ACCURATE, "resnet50")
    assert what_if(ACCURATE, Stage.STAGING, None, NOON).versions == 1
    assert what_if(ACCURATE, Stage.PRODUCTION, None, NOON).versions == 13
    model = find_model("resnet50")
    assert what_if(ACCURATE, Stage.STAGING, model, NOON).versions == 12


def test_unmeasured_metrics_are_named(registry: DatabaseRegistry) -> None:
    policy = ACCURATE.require_metric("acuracy", Comparison.GT, 0).require_test_coverage(1)
    assert unmeasured(policy.metric_names) == ("acuracy", "test_coverage")


def test_the_number_of_statements_does_not_grow_with_the_versions(
    registry: DatabaseRegistry, new_versions: Callable[[int], None]
) -> None:
    taken = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as statements:
            what_if(ACCURATE, Stage.STAGING, None, NOON + timedelta(days=1))
        taken.append(len(statements))
        new_versions(60)
    assert taken[0] == taken[1] <= 9


@pytest.fixture
def new_versions(registry: DatabaseRegistry) -> Callable[[int], None]:
    """Register this many additional versions."""

    def register(count: int) -> None:
        for _ in range(count):
            registry.register_model("other", metrics={"accuracy": 0.7})

    return register
