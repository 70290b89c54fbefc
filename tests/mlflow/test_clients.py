"""Unmodified MLflow clients against a live server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, ModelVersion, User
from boards.registry.catalog.registration import create_model
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.records import Action, Channel

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BACKEND = "django.contrib.auth.backends.ModelBackend"
RunClient = Callable[..., str]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(transactional_db: None) -> DatabaseRegistry:
    return DatabaseRegistry(actor=None)


def test_every_method_of_the_client_does_what_it_should(
    run_client: RunClient, registry: DatabaseRegistry
) -> None:
    create_model(name="gated", actor=SYSTEM, at=timezone.now())
    policy = (
        PromotionPolicy(Stage.STAGING)
        .require_metric("f1", Comparison.GTE, 0.7)
        .require_metric("auc", Comparison.GTE, 0.8)
    )
    registry.set_policy(policy, "gated")

    assert "every method did what it should" in run_client("every_method.py")

    fraud = registry.get_version("fraud", 1)
    assert fraud.artifact_path == "s3://bucket/fraud/1"
    assert fraud.metrics["auc"] == 0.91
    assert registry.get_version("fraud-in-production", 1).artifact_path == "s3://bucket/fraud/1"
    assert registry.get_version("ranker", 2).stage is Stage.PRODUCTION
    moves = AuditEvent.objects.filter(action=Action.STAGE_TRANSITIONED.value)
    assert set(moves.values_list("channel", "actor__username")) == {
        (Channel.MLFLOW.value, "trainer")
    }
    refused = AuditEvent.objects.get(action=Action.TRANSITION_REFUSED.value)
    assert len(refused.canonical_text) > 100
    assert refused.model is not None
    assert refused.model.name == "gated"


def test_searches_find_every_match_page_by_page(run_client: RunClient) -> None:
    assert "every search found what it should" in run_client("searches.py")
    assert ModelVersion.objects.count() == 251


def test_a_model_is_trained_registered_promoted_and_loaded_back(
    run_client: RunClient, registry: DatabaseRegistry, client: Client
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)
    )

    said = run_client(EXAMPLES / "mlflow_train.py")
    client.force_login(User.objects.get(username="trainer"), BACKEND)

    assert "v1 was refused." in said
    assert "accuracy" in said.partition("v1 was refused.")[2].partition("\n\n")[0]
    assert said.count("predicts [") == 3
    version = registry.get_latest_in_stage("breast-cancer", Stage.PRODUCTION)
    assert version is not None
    assert version.aliases == ("champion",)
    assert version.metrics["accuracy"] > 0.9
    assert version.artifact_path
    page = client.get(reverse("boards:board"))
    assert "breast-cancer" in page.content.decode()
