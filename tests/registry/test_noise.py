"""The effect of a metric's noise definition on policy checks and approvals."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from boards.access.actors import SYSTEM
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from obeya.metrics import Metric, MetricDefinition, Scale
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Outcome
from obeya.stages import Stage

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
BETTER = PromotionPolicy(Stage.PRODUCTION).require_against_champion(
    "auc", Comparison.GT, beyond_noise=True
)


@pytest.fixture
def two(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Register v1 in Production and v2 in Staging, better beyond noise if auc is a proportion."""
    for number, auc in ((1, 0.90), (2, 0.95)):
        registry.register_model("m", metrics={"auc": Metric("auc", auc, samples=1_000)})
        registry.transition_stage("m", number, Stage.STAGING)
    registry.transition_stage("m", 1, Stage.PRODUCTION)
    return registry


def is_a_fraction() -> None:
    define_metric(definition=MetricDefinition("auc", scale=Scale.FRACTION), actor=SYSTEM, at=NOON)


def test_a_draft_is_checked_like_a_saved_policy(two: DatabaseRegistry) -> None:
    is_a_fraction()
    tried = two.check_promotion_policy("m", 2, BETTER, Stage.PRODUCTION)
    two.set_policy(BETTER)
    stored = two.check_promotion_policy("m", 2, to_stage=Stage.PRODUCTION)
    assert tried.passed
    assert tried.outcomes == stored.outcomes


def test_an_approval_expires_when_the_noise_definition_changes(two: DatabaseRegistry, anna) -> None:
    two.set_policy(BETTER.require_approvals(1))
    request = two.request_transition("m", 2)
    reader = DatabaseRegistry(actor=anna)
    assert two.can_promote("m", 2).policy_result.outcomes[0].outcome is Outcome.NOT_COMPARABLE
    assert reader.approve("m", 2).approved_by == ("anna",)
    is_a_fraction()
    (now,) = two.get_requests("m", 2)
    assert now.evidence_digest != request.evidence_digest
    assert now.approved_by == ()
    assert not two.can_promote("m", 2).allowed


def test_an_approval_expires_with_the_permission_to_approve(two: DatabaseRegistry, anna) -> None:
    two.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(1))
    two.request_transition("m", 2)
    DatabaseRegistry(actor=anna).approve("m", 2)
    assert two.can_promote("m", 2).allowed
    anna.groups.clear()
    assert not two.can_promote("m", 2).allowed
    assert two.get_requests("m", 2)[0].approved_by == ()
    anna.groups.add(*anna.groups.model.objects.filter(name="approver"))
    assert two.can_promote("m", 2).allowed
    anna.is_active = False
    anna.save()
    assert not two.can_promote("m", 2).allowed
