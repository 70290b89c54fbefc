"""Comparison of two versions, and of several versions with a baseline."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.comparison import DiffOutcome, MetricDiff, MetricRow, compare, compare_to_baseline
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
    st.floats(-1e9, 1e9) | st.floats(allow_nan=False, allow_infinity=False),
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
def test_a_reversed_comparison_has_the_opposite_result(
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
    for number in (there.difference, there.percent_change):
        assert number is None or math.isfinite(number)


@given(definitions, metrics, metrics)
def test_the_outcome_the_difference_and_the_percentage_agree(
    definition: MetricDefinition, a: Metric, b: Metric
) -> None:
    diff = MetricDiff(definition, a, b)
    if not diff.outcome.is_comparable:
        assert diff.difference is None
        assert diff.percent_change is None
        return
    assert (diff.outcome is DiffOutcome.EQUAL) == (a.value == b.value)
    rose = b.value > a.value
    if diff.outcome in (DiffOutcome.BETTER, DiffOutcome.WORSE):
        wanted = rose == (definition.direction is Direction.HIGHER)
        assert (diff.outcome is DiffOutcome.BETTER) == wanted
    if definition.direction is Direction.UNKNOWN:
        assert diff.outcome not in (DiffOutcome.BETTER, DiffOutcome.WORSE)
    if diff.difference is not None:
        assert (diff.difference > 0) == rose


def test_a_difference_beyond_the_range_of_floats_is_undefined() -> None:
    a, b = Metric("m", -1.7e308), Metric("m", 1.7e308)
    diff = MetricDiff(MetricDefinition("m", Direction.HIGHER), a, b)
    assert diff.outcome is DiffOutcome.BETTER
    assert diff.difference is None
    assert diff.percent_change == pytest.approx(200)


def test_difference_and_percent_change_of_ordinary_values() -> None:
    a, b = Metric("latency_ms", 40.0), Metric("latency_ms", 50.0)
    diff = MetricDiff(MetricDefinition("latency_ms", Direction.LOWER), a, b)
    assert (diff.difference, diff.percent_change) == (10.0, 25.0)
    assert diff.outcome is DiffOutcome.WORSE


def test_a_difference_within_noise_needs_no_direction() -> None:
    a, b = (Metric("m", value, standard_error=1.0) for value in (1.0, 2.0))
    assert MetricDiff(MetricDefinition("m"), a, b).outcome is DiffOutcome.WITHIN_NOISE


def test_b_is_better_when_more_than_half_of_the_judged_metrics_are() -> None:
    def policy_result(**b: float) -> bool:
        a = {"accuracy": 0.5, "f1": 0.5, "loss": 0.5, "classes": 10.0}
        sides = [{n: Metric(n, v) for n, v in side.items()} for side in (a, {**a, **b})]
        return compare(("a", sides[0]), ("b", sides[1]), {}).b_is_better

    assert policy_result(accuracy=0.6, f1=0.6)
    assert not policy_result(accuracy=0.6)
    assert not policy_result(accuracy=0.6, f1=0.4)
    assert not policy_result(classes=20.0)
    assert not policy_result()


def test_every_metric_of_either_side_is_listed_by_name() -> None:
    result = compare(("a", {"z": Metric("z", 1)}), ("b", {"b": Metric("b", 1)}), {})
    assert list(result.metric_diffs) == ["b", "z"]


sides = st.dictionaries(
    st.sampled_from(["accuracy", "f1", "loss", "latency_ms", "classes"]),
    st.tuples(st.floats(-10, 10), st.none() | st.floats(0, 5), st.sampled_from(["", "x", "y"])),
).map(lambda side: {n: Metric(n, v, None, error, data) for n, (v, error, data) in side.items()})


@given(sides, sides)
def test_of_two_versions_at_most_one_is_better(a: dict[str, Metric], b: dict[str, Metric]) -> None:
    there, back = compare(("a", a), ("b", b), {}), compare(("b", b), ("a", a), {})
    assert not (there.b_is_better and back.b_is_better)
    assert list(there.metric_diffs) == list(back.metric_diffs) == sorted({*a, *b})
    assert (there.version_a, there.version_b) == (back.version_b, back.version_a) == ("a", "b")


@given(sides)
def test_no_version_is_better_than_itself(side: dict[str, Metric]) -> None:
    same = compare(("a", side), ("a", side), {})
    assert not same.b_is_better
    assert {diff.outcome for diff in same.metric_diffs.values()} <= {DiffOutcome.EQUAL}


def test_metrics_within_noise_or_equal_count_among_the_judged_but_not_as_better() -> None:
    def metrics_of(**values: float) -> dict[str, Metric]:
        return {n: Metric(n, v, standard_error=0.1) for n, v in values.items()}

    a = metrics_of(accuracy=1.0, f1=1.0, auc=1.0)
    one = compare(("a", a), ("b", metrics_of(accuracy=9.0, f1=1.01, auc=1.0)), {})
    two = compare(("a", a), ("b", metrics_of(accuracy=9.0, f1=9.0, auc=1.0)), {})
    assert not one.b_is_better
    assert two.b_is_better


def test_incomparable_metrics_are_not_counted() -> None:
    a = {"accuracy": Metric("accuracy", 0.5), "f1": Metric("f1", 0.9, dataset="old")}
    b = {"accuracy": Metric("accuracy", 0.6), "f1": Metric("f1", 0.1, dataset="new")}
    assert compare(("a", a), ("b", b), {}).b_is_better
    assert compare(("a", a), ("b", {**b, "auc": Metric("auc", 0.1)}), {}).b_is_better


def test_a_definition_decides_what_better_means() -> None:
    a, b = {"score": Metric("score", 1.0)}, {"score": Metric("score", 2.0)}
    assert compare(("a", a), ("b", b), {}).b_is_better
    defined = {"score": MetricDefinition("score", Direction.LOWER)}
    assert not compare(("a", a), ("b", b), defined).b_is_better


def test_only_judged_metrics_are_counted() -> None:
    a = {n: Metric(n, 1.0, standard_error=0.1) for n in ("accuracy", "f1", "loss", "auc", "width")}
    b = {
        "accuracy": Metric("accuracy", 2.0, standard_error=0.1),
        "f1": Metric("f1", 1.01, standard_error=0.1),
        "loss": Metric("loss", 2.0, standard_error=0.1),
        "auc": Metric("auc", 1.0),
        "width": Metric("width", 1.01, standard_error=0.1),
    }
    comparison = compare(("a", a), ("b", b), {})
    counts = {outcome: comparison.count(outcome) for outcome in DiffOutcome}
    assert comparison.judged == 4
    assert {outcome for outcome, count in counts.items() if count == 1} == {
        DiffOutcome.BETTER,
        DiffOutcome.WORSE,
        DiffOutcome.WITHIN_NOISE,
        DiffOutcome.EQUAL,
    }
    assert sum(counts.values()) == comparison.judged


# --- Several versions with one baseline -----------------------------------------------------------

others = st.lists(sides, min_size=0, max_size=5)


def named(metrics_of_others: list[dict[str, Metric]]) -> list[tuple[str, dict[str, Metric]]]:
    return [(f"v{place}", metrics) for place, metrics in enumerate(metrics_of_others)]


@given(sides, others)
def test_each_version_is_compared_with_the_baseline_independently(
    baseline: dict[str, Metric], several: list[dict[str, Metric]]
) -> None:
    result = compare_to_baseline(("base", baseline), named(several), {})
    alone = [compare(("base", baseline), other, {}) for other in named(several)]
    assert list(result.comparisons) == alone
    for place, comparison in enumerate(alone):
        column = {row.definition.name: row.diffs[place] for row in result.rows}
        assert {n: d for n, d in column.items() if d is not None} == comparison.metric_diffs
        for name in set(column) - set(comparison.metric_diffs):
            assert name not in baseline
            assert name not in several[place]


@given(sides, others)
def test_every_metric_of_any_version_is_a_row_by_name(
    baseline: dict[str, Metric], several: list[dict[str, Metric]]
) -> None:
    rows = compare_to_baseline(("base", baseline), named(several), {}).rows
    every = {*baseline, *(name for metrics_of in several for name in metrics_of)}
    assert [row.definition.name for row in rows] == sorted(every)
    assert all(row.baseline == baseline.get(row.definition.name) for row in rows)
    assert all(len(row.diffs) == len(several) for row in rows)


@given(sides, others, st.randoms(use_true_random=False))
def test_the_order_of_the_others_changes_nothing_but_the_order(
    baseline: dict[str, Metric], several: list[dict[str, Metric]], random: random.Random
) -> None:
    order = list(range(len(several)))
    random.shuffle(order)
    there = compare_to_baseline(("base", baseline), named(several), {})
    back = compare_to_baseline(("base", baseline), [named(several)[i] for i in order], {})
    assert back.comparisons == tuple(there.comparisons[i] for i in order)
    for row, turned in zip(there.rows, back.rows, strict=True):
        assert turned.diffs == tuple(row.diffs[i] for i in order)
        assert turned.differs == row.differs


@given(definitions, st.none() | metrics, st.lists(st.none() | metrics, max_size=5))
def test_the_share_of_a_change_is_its_part_of_the_largest_in_the_row(
    definition: MetricDefinition, a: Metric | None, several: list[Metric | None]
) -> None:
    diffs = tuple(None if a is b is None else MetricDiff(definition, a, b) for b in several)
    shares = MetricRow(definition, a, diffs).shares
    changes = [diff.percent_change if diff else None for diff in diffs]
    assert [share is None for share in shares] == [change is None for change in changes]
    known = [(s, c) for s, c in zip(shares, changes, strict=True) if s is not None]
    for share, change in known:
        assert -1 <= share <= 1
        assert share * change >= 0
    if any(change for _, change in known):
        assert max(abs(share) for share, _ in known) == 1
    else:
        assert {share for share, _ in known} <= {0}


def test_a_row_differs_unless_all_are_equal_to_the_baseline() -> None:
    definition, one, two = MetricDefinition("m"), Metric("m", 1.0), Metric("m", 2.0)

    def differs(baseline: Metric | None, *several: Metric | None) -> bool:
        diffs = [
            None if baseline is b is None else MetricDiff(definition, baseline, b) for b in several
        ]
        return MetricRow(definition, baseline, tuple(diffs)).differs

    assert not differs(one, one, one)
    assert differs(one, one, two)
    assert differs(one, one, None)
    assert differs(None, None, two)
    assert differs(one, Metric("m", 1.0 + 1e-12))


def test_a_baseline_without_challengers_lists_its_metrics() -> None:
    result = compare_to_baseline(("base", {"f1": Metric("f1", 1.0)}), [], {})
    assert result.comparisons == ()
    assert [(row.definition.name, row.diffs, row.differs) for row in result.rows] == [
        ("f1", (), False)
    ]
