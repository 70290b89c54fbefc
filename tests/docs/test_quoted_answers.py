"""Operations, payloads and messages that the documentation quotes are those of the product."""

from __future__ import annotations

import json
import re

import pytest

from boards.mlflow_protocol.errors import translated
from obeya import Comparison, InMemoryRegistry, PromotionPolicy, Stage, TransitionRefused
from obeya.refusals import AliasRefused
from scripts.webhook_events import messages
from tests.docs.pages import ROOT, block, pages, shape, text_of


@pytest.mark.django_db
def test_the_payload_of_a_webhook():
    documented = json.loads(block("docs/webhooks.md", "json"))
    assert shape(documented) == shape(messages()[documented["type"]])


def test_the_operations_of_the_api():
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    # The page on MLflow quotes another protocol.
    texts = "".join(text_of(path) for path in pages() if path != "docs/mlflow.md")
    quoted = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]+)", texts)
    assert len(quoted) > 5
    for method, path in quoted:
        assert method.lower() in document["paths"].get(path, {}), f"{method} {path}"


def test_the_refusal_that_mlflow_shows():
    registry = InMemoryRegistry()
    for auc in (0.8, 0.84, 0.85, 0.87):
        version = registry.register_model("churn", metrics={"auc": auc}).version
    registry.transition_stage("churn", version, Stage.STAGING)
    policy = PromotionPolicy(Stage.PRODUCTION, required_approvals=2)
    registry.set_policy(policy.require_metric("auc", Comparison.GTE, 0.9))
    registry.request_transition("churn", version)
    registry.acting_as("ada").approve("churn", version)
    with pytest.raises(TransitionRefused) as refused:
        registry.transition_stage("churn", version, Stage.PRODUCTION)
    error = translated(refused.value, name="churn", version=str(version))
    assert f"{error.code}: {error}" == block("docs/mlflow.md", "text", "refusal")


def test_the_refused_alias_that_mlflow_shows():
    registry = InMemoryRegistry()
    for _ in range(4):
        version = registry.register_model("churn").version
    registry.transition_stage("churn", version, Stage.STAGING)
    with pytest.raises(AliasRefused) as refused:
        registry.set_alias("churn", "champion", version)
    error = translated(refused.value, name="churn", version=str(version))
    assert f"{error.code}: {error}" == block("docs/mlflow.md", "text", "alias refusal")
