"""The code blocks of the seed page, in Python."""
# ruff: noqa: T201 - the page prints

from __future__ import annotations

import pytest

from obeya import (
    Comparison,
    InvalidInput,
    InvalidTransition,
    MetricRequirement,
    ModelRegistry,
    ModelStage,
    PromotionPolicy,
)

NAME = "sentiment-classifier"
PATH = "/artifacts/model-v1.safetensors"


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    """Register two versions; the first is in Production."""
    any_registry.register_model(NAME, 1, {"accuracy": 0.95, "f1_score": 0.93}, PATH)
    any_registry.transition_stage(NAME, 1, ModelStage.STAGING)
    any_registry.transition_stage(NAME, 1, ModelStage.PRODUCTION)
    any_registry.register_model(NAME, 2, {"accuracy": 0.855, "f1_score": 0.93})
    return any_registry


def test_model_stages() -> None:
    assert [stage.name for stage in ModelStage] == [
        "DEVELOPMENT",
        "STAGING",
        "PRODUCTION",
        "ARCHIVED",
    ]


def test_stage_transitions(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidTransition):
        registry.transition_stage(NAME, 1, ModelStage.STAGING)
    registry.transition_stage(NAME, 1, ModelStage.ARCHIVED)
    assert registry.get_version(NAME, 1).stage is ModelStage.ARCHIVED


def test_version_comparison(registry: ModelRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = registry.compare_versions(NAME, 1, 2)
    print(f"Version {comparison.version_a} vs {comparison.version_b}")
    for metric, diff in comparison.metric_diffs.items():
        print(f"  {metric}: {diff.percent_change:.2f}% change")
    assert capsys.readouterr().out == (
        f"Version {NAME} v1 vs {NAME} v2\n  accuracy: -10.00% change\n  f1_score: 0.00% change\n"
    )


@pytest.mark.parametrize(
    ("metrics", "violations"),
    [
        ({"accuracy": 0.9, "latency_p99_ms": 100.0}, []),
        (
            {"accuracy": 0.89},
            [
                "Policy violation: accuracy is 0.89; required: ≥ 0.9.",
                "Policy violation: latency_p99_ms was not measured.",
            ],
        ),
    ],
)
def test_promotion_policies(
    registry: ModelRegistry,
    capsys: pytest.CaptureFixture[str],
    metrics: dict[str, float],
    violations: list[str],
) -> None:
    registry.register_model(NAME, 3, metrics)
    registry.transition_stage(NAME, 3, ModelStage.STAGING)
    policy = (
        PromotionPolicy()
        .require_metric(
            MetricRequirement(name="accuracy", comparison=Comparison.GTE, threshold=0.90)
        )
        .require_metric(
            MetricRequirement(name="latency_p99_ms", comparison=Comparison.LTE, threshold=100.0)
        )
    )
    result = registry.check_promotion_policy(NAME, 3, policy)
    if result.passed:
        registry.transition_stage(NAME, 3, ModelStage.PRODUCTION)
    else:
        for failure in result.failures:
            print(f"Policy violation: {failure}")
    assert capsys.readouterr().out.splitlines() == violations
    assert result.passed is (not violations)
    stage = ModelStage.STAGING if violations else ModelStage.PRODUCTION
    assert registry.get_version(NAME, 3).stage is stage


def test_querying_the_registry(registry: ModelRegistry) -> None:
    registry.register_model("another", 1)
    registry.transition_stage("another", 1, ModelStage.STAGING)
    registry.transition_stage("another", 1, ModelStage.PRODUCTION)
    assert str(registry.get_version(NAME, 1)) == f"{NAME} v1"
    assert [version.version for version in registry.list_versions(NAME)] == [1, 2]
    production = registry.get_by_stage(ModelStage.PRODUCTION)
    assert [str(version) for version in production] == ["another v1", f"{NAME} v1"]
    latest = registry.get_latest_in_stage(NAME, ModelStage.PRODUCTION)
    assert latest is not None
    assert latest.version == 1


def test_model_version_details(registry: ModelRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    version = registry.get_version(NAME, 1)
    print(f"Version: {version.version}")
    print(f"Stage: {version.stage}")
    print(f"Created: {version.created_at}")
    print(f"Artifact: {version.artifact_path}")
    for name, value in version.metrics.items():
        print(f"  {name}: {value}")
    assert capsys.readouterr().out.splitlines() == [
        "Version: 1",
        "Stage: production",
        f"Created: {version.created_at}",
        f"Artifact: {PATH}",
        "  accuracy: 0.95",
        "  f1_score: 0.93",
    ]


def test_audit_trail(registry: ModelRegistry) -> None:
    transitions = registry.get_transitions(NAME, 1)
    assert [(t.from_stage, t.to_stage) for t in transitions] == [
        (None, ModelStage.DEVELOPMENT),
        (ModelStage.DEVELOPMENT, ModelStage.STAGING),
        (ModelStage.STAGING, ModelStage.PRODUCTION),
    ]
    timestamps = [transition.timestamp for transition in transitions]
    assert timestamps == sorted(timestamps)


def test_the_former_order_of_arguments_is_refused(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidInput, match="takes the stage first and the model second"):
        registry.get_by_stage(NAME, ModelStage.PRODUCTION)  # type: ignore[arg-type]  # the test
    with pytest.raises(InvalidInput, match="needs a name, a comparison and a threshold"):
        PromotionPolicy().require_metric("accuracy")  # type: ignore[call-overload]  # the test
