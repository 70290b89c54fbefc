"""Accounts and a version that needs approvals, for the tests of requests and records."""

from __future__ import annotations

from datetime import UTC, datetime

from boards.access.actors import SYSTEM
from boards.models import TransitionRequest, User
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage

MADE_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = (
    PromotionPolicy(Stage.PRODUCTION)
    .require_metric("accuracy", Comparison.GTE, 0.9)
    .require_approvals(2)
)


def person(name: str, group: str) -> User:
    """Return the account of that name; create it if necessary."""
    found = User.objects.filter(username=name).first()
    return found or create_user(username=name, group=group, actor=SYSTEM, at=MADE_AT)


def registry_of(name: str, group: str) -> DatabaseRegistry:
    """Return the registry as that account uses it."""
    return DatabaseRegistry(actor=person(name, group))


def staged_version(registry: DatabaseRegistry, accuracy: float = 0.95) -> int:
    """Register a version of resnet50 and move it to Staging; return its number."""
    number = registry.register_model(
        "resnet50",
        metrics={"accuracy": accuracy},
        artifact_path="s3://models/resnet50",
        artifact_digest=f"sha256:{'ab' * 32}",
        description="Trained longer.",
    ).version
    registry.transition_stage("resnet50", number, Stage.STAGING)
    return number


def open_request(policy: PromotionPolicy = POLICY, number: int = 1) -> TransitionRequest:
    """Set the policy, and return the request for Production that peter, a promoter, opened."""
    peter = registry_of("peter", "promoter")
    admin = registry_of("root", "administrator")
    admin.set_policy(policy)
    peter.request_transition(
        "resnet50", number, Stage.PRODUCTION, reason="Better than v1", archive_existing=True
    )
    return TransitionRequest.objects.get(version__number=number, status="open")
