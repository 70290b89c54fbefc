"""Comparison of two versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.comparison import DiffOutcome, MetricDiff, compare
from obeya.metrics import Direction, Metric, MetricDefinition, Scale

OPPOSITE = {
    DiffOutcome.BETTER: DiffOutcome.WORSE,
    DiffOutcome.WORSE: DiffOutcome.BETTER,
    DiffOutcome.ONLY_A: DiffOutcome.ONLY_B,
    DiffOutcome.ONLY_B: DiffOutcome.ONLY_A,
}

metrics = st.builds(
    Metric,
    st.just("m"),
    st.floats(-1e9, 1e9),
    st.none() | st.integers(1, 10**6),
    st.none() | st.floats(0, 1e6),
    st.sampled_from(["", "one", "two"]),
)
definitions = st.builds(
    MetricDefinition,
    st.just("m"),
    st.sampled_from(list(Direction)),
    scale=st.sampled_from(list(Scale)),
)


def outcome(
    a: float | None, b: float | None, direction: Direction = Direction.HIGHER
) -> DiffOutcome:
    return MetricDiff(
        MetricDefinition("m", direction),
        None if a is None else Metric("m", a),
        None if b is None else Metric("m", b),
    ).outcome


@pytest.mark.parametrize(
    ("a", "b", "direction", "expected"),
    [
        (0.8, 0.9, Direction.HIGHER, DiffOutcome.BETTER),
        (0.9, 0.8, Direction.HIGHER, DiffOutcome.WORSE),
        (50, 40, Direction.LOWER, DiffOutcome.BETTER),
        (40, 50, Direction.LOWER, DiffOutcome.WORSE),
        (1, 1, Direction.HIGHER, DiffOutcome.EQUAL),
        (1, 2, Direction.UNKNOWN, DiffOutcome.CHANGED),
        (1, None, Direction.HIGHER, DiffOutcome.ONLY_A),
        (None, 1, Direction.HIGHER, DiffOutcome.ONLY_B),
    ],
)
def test_the_outcome_of_one_metric(
    a: float | None, b: float | None, direction: Direction, expected: DiffOutcome
) -> None:
    assert outcome(a, b, direction) is expected


def test_a_metric_only_one_side_has_is_never_treated_as_0() -> None:
    diff = MetricDiff(MetricDefinition("m"), Metric("m", 1.0), None)
    assert diff.difference is None
    assert diff.percent_change is None


def test_values_on_different_named_datasets_are_not_comparable() -> None:
    a, b = Metric("m", 1.0, dataset="old"), Metric("m", 2.0, dataset="new")
    diff = MetricDiff(MetricDefinition("m", Direction.HIGHER), a, b)
    assert diff.outcome is DiffOutcome.NOT_COMPARABLE
    assert diff.difference is None
    unnamed = MetricDiff(MetricDefinition("m", Direction.HIGHER), a, Metric("m", 2.0))
    assert unnamed.outcome is DiffOutcome.BETTER


def test_two_accuracies_close_on_50_000_images_differ_within_noise() -> None:
    definition = MetricDefinition("imagenet_top1", Direction.HIGHER, scale=Scale.PERCENT)
    a = Metric("imagenet_top1", 80.86, samples=50_000)
    close, far = (Metric("imagenet_top1", value, samples=50_000) for value in (81.15, 81.50))
    assert MetricDiff(definition, a, close).outcome is DiffOutcome.WITHIN_NOISE
    assert MetricDiff(definition, a, far).outcome is DiffOutcome.BETTER


@given(definitions, st.none() | metrics, st.none() | metrics)
def test_a_comparison_turned_round_says_the_opposite(
    definition: MetricDefinition, a: Metric | None, b: Metric | None
) -> None:
    if a is None and b is None:
        return
    there, back = MetricDiff(definition, a, b), MetricDiff(definition, b, a)
    assert back.outcome is OPPOSITE.get(there.outcome, there.outcome)
    if there.difference is None:
        assert back.difference is None
    else:
        assert back.difference == -there.difference


def test_b_is_better_when_more_than_half_of_the_judged_metrics_are() -> None:
    def verdict(**b: float) -> bool:
        a = {"accuracy": 0.5, "f1": 0.5, "loss": 0.5, "classes": 10.0}
        sides = [{n: Metric(n, v) for n, v in side.items()} for side in (a, {**a, **b})]
        return compare(("a", sides[0]), ("b", sides[1]), {}).b_is_better

    assert verdict(accuracy=0.6, f1=0.6)
    assert not verdict(accuracy=0.6)
    assert not verdict(accuracy=0.6, f1=0.4)
    assert not verdict(classes=20.0)
    assert not verdict()


def test_every_metric_of_either_side_is_listed_by_name() -> None:
    result = compare(("a", {"z": Metric("z", 1)}), ("b", {"b": Metric("b", 1)}), {})
    assert list(result.metric_diffs) == ["b", "z"]
