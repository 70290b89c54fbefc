"""Promotion policies and their verdicts."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import InvalidInput
from obeya.metrics import Metric
from obeya.policies import (
    Comparison,
    Evidence,
    MetricRequirement,
    Outcome,
    PromotionPolicy,
    Verdict,
    no_policy,
    number_text,
)
from obeya.stages import Stage

finite = st.floats(allow_nan=False, allow_infinity=False)
requirements = st.builds(
    MetricRequirement,
    st.text("abcdef_", min_size=1, max_size=8),
    st.sampled_from(list(Comparison)),
    finite,
)


def evidence(**values: float) -> Evidence:
    return Evidence(1, {name: Metric(name, value) for name, value in values.items()})


def test_a_verdict_lists_every_requirement_and_never_stops_at_the_first() -> None:
    policy = (
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_metric("f1", Comparison.GTE, 0.9)
        .require_metric("latency_p99_ms", Comparison.LTE, 100)
        .require_test_coverage(80)
    )
    verdict = policy.check(evidence(accuracy=0.8, latency_p99_ms=50.0), revision=3)
    assert [o.outcome for o in verdict.outcomes] == [
        Outcome.FAILED,
        Outcome.MISSING,
        Outcome.PASSED,
        Outcome.MISSING,
    ]
    assert not verdict.passed
    assert [o.metric for o in verdict.failures] == ["accuracy", "f1", "test_coverage"]
    assert verdict.policy_revision == 3
    assert verdict.sentence == "Failed: 3 of 4 requirements for Production."


def test_each_outcome_says_observed_bound_and_baseline() -> None:
    policy = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)
    verdict = policy.check(evidence(accuracy=0.8), evidence(accuracy=0.95))
    (outcome,) = verdict.outcomes
    assert (outcome.observed, outcome.bound, outcome.baseline) == (0.8, 0.9, 0.95)
    assert outcome.requirement == "accuracy ≥ 0.9"
    assert outcome.sentence == "accuracy is 0.8; required: ≥ 0.9."


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [
        (Comparison.GT, False, False, True),
        (Comparison.GTE, False, True, True),
        (Comparison.LT, True, False, False),
        (Comparison.LTE, True, True, False),
        (Comparison.EQ, False, True, False),
    ],
)
def test_comparisons_at_their_bound(
    comparison: Comparison, below: bool, at: bool, above: bool
) -> None:
    bound = 0.9
    held = [comparison.holds(value, bound) for value in (0.9 - 1e-6, bound, 0.9 + 1e-6)]
    assert held == [below, at, above]


def test_equal_forgives_rounding_and_no_more() -> None:
    assert Comparison.EQ.holds(0.1 + 0.2, 0.3)
    assert not Comparison.EQ.holds(0.3000001, 0.3)
    assert Comparison.EQ.holds(0.0, 0.0)
    assert not Comparison.EQ.holds(1e-300, 0.0)


def test_a_difference_of_floats_is_taken_as_it_is() -> None:
    assert Comparison.GT.holds(0.93 - 0.92, 0.01)


@pytest.mark.parametrize("text", [">=", "≥", " >= "])
def test_signs_are_read_in_both_spellings(text: str) -> None:
    assert Comparison.parse(text) is Comparison.GTE


@pytest.mark.parametrize("text", ["", "=>", "!=", "gte"])
def test_other_signs_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a comparison"):
        Comparison.parse(text)


@pytest.mark.parametrize("threshold", [math.nan, math.inf, -math.inf])
def test_a_threshold_that_is_not_finite_is_refused(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="finite"):
        PromotionPolicy().require_metric("accuracy", Comparison.GTE, threshold)
    with pytest.raises(InvalidInput, match="finite"):
        PromotionPolicy().require_test_coverage(threshold)


@pytest.mark.parametrize("stage", [Stage.DEVELOPMENT, Stage.ARCHIVED])
def test_only_staging_and_production_take_a_policy(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="takes no promotion policy"):
        PromotionPolicy(stage)


@pytest.mark.parametrize("count", [-1, 101])
def test_a_count_of_approvals_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidInput, match="0 to 100"):
        PromotionPolicy().require_approvals(count)


def test_a_requirement_that_stands_twice_is_refused() -> None:
    policy = PromotionPolicy().require_metric("accuracy", Comparison.GTE, 0.9)
    with pytest.raises(InvalidInput, match="stands twice"):
        policy.require_metric("accuracy", Comparison.GTE, 0.9)
    assert policy.require_metric("accuracy", Comparison.LTE, 0.99).requirements[1:]


def test_building_on_a_policy_leaves_it_as_it_was() -> None:
    first = PromotionPolicy(Stage.STAGING)
    first.require_metric("accuracy", Comparison.GTE, 0.9)
    assert first == PromotionPolicy(Stage.STAGING)


def test_without_a_policy_everything_passes_and_it_says_so() -> None:
    verdict = no_policy(Stage.STAGING)
    assert verdict.passed
    assert "No promotion policy is set for Staging" in verdict.sentence


@given(
    st.lists(requirements, max_size=6, unique_by=lambda r: r.describe()),
    st.none() | finite,
    st.integers(0, 100),
    st.sampled_from([None, Stage.STAGING, Stage.PRODUCTION]),
)
def test_a_policy_is_read_back_from_its_document(
    asked: list[MetricRequirement], coverage: float | None, approvals: int, stage: Stage | None
) -> None:
    policy = PromotionPolicy(stage, tuple(asked), coverage, approvals)
    document = json.loads(json.dumps(policy.to_document()))
    assert PromotionPolicy.from_document(document) == policy


@given(
    st.lists(requirements, max_size=6, unique_by=lambda r: r.describe()),
    st.dictionaries(st.text("abcdef_", min_size=1, max_size=8), finite, max_size=6),
)
def test_a_verdict_passes_when_every_requirement_does_and_is_read_back(
    asked: list[MetricRequirement], values: dict[str, float]
) -> None:
    seen = evidence(**values)
    verdict = PromotionPolicy(Stage.STAGING, tuple(asked)).check(seen)
    assert len(verdict.outcomes) == len(asked)
    assert verdict.passed == all(
        r.metric in values and r.comparison.holds(values[r.metric], r.threshold) for r in asked
    )
    assert Verdict.from_document(json.loads(json.dumps(verdict.to_document()))) == verdict


@given(finite)
def test_a_number_is_written_with_all_its_digits(value: float) -> None:
    assert float(number_text(value)) == value
