"""Promotion policies and policy results."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from obeya.errors import InvalidInput
from obeya.metrics import Metric
from obeya.policy.bounds import Comparison, number_text
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Evidence, MetricRequirement, Outcome
from obeya.policy.results import PolicyResult, no_policy
from obeya.policy.rules import RequiredTag, TimeInStage
from obeya.stages import Stage

finite = st.floats(allow_nan=False, allow_infinity=False)
requirements = st.builds(
    MetricRequirement,
    st.text("abcdef_", min_size=1, max_size=8),
    st.sampled_from(list(Comparison)),
    finite,
)


def evidence(**values: float) -> Evidence:
    return Evidence(
        version=1, metrics={name: Metric(name, value) for name, value in values.items()}
    )


def test_a_policy_result_lists_every_requirement_and_never_stops_at_the_first() -> None:
    policy = (
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_metric("f1", Comparison.GTE, 0.9)
        .require_metric("latency_p99_ms", Comparison.LTE, 100)
        .require_test_coverage(80)
    )
    policy_result = policy.check(evidence(accuracy=0.8, latency_p99_ms=50.0), revision=3)
    assert [o.outcome for o in policy_result.outcomes] == [
        Outcome.FAILED,
        Outcome.MISSING,
        Outcome.PASSED,
        Outcome.MISSING,
    ]
    assert not policy_result.passed
    assert [o.metric for o in policy_result.failures] == ["accuracy", "f1", "test_coverage"]
    assert policy_result.policy_revision == 3
    assert policy_result.sentence == "3 of 4 requirements failed for Production."


def test_each_outcome_has_observed_value_bound_and_baseline() -> None:
    policy = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)
    policy_result = policy.check(evidence(accuracy=0.8), evidence(accuracy=0.95))
    (outcome,) = policy_result.outcomes
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


def test_equal_tolerates_only_rounding() -> None:
    assert Comparison.EQ.holds(0.1 + 0.2, 0.3)
    assert not Comparison.EQ.holds(0.3000001, 0.3)
    assert Comparison.EQ.holds(0.0, 0.0)
    assert not Comparison.EQ.holds(1e-300, 0.0)
    assert Comparison.EQ.holds(1e300, 1e300 * (1 + 1e-10))
    assert Comparison.EQ.holds(1.0, 1.0 + 0.9e-9)
    assert not Comparison.EQ.holds(1.0, 1.0 + 1.1e-9)


@given(finite, finite)
def test_exactly_one_of_above_equal_and_below_holds_except_for_rounding(
    value: float, bound: float
) -> None:
    holds = {comparison: comparison.holds(value, bound) for comparison in Comparison}
    assert holds[Comparison.GT] is not holds[Comparison.LTE]
    assert holds[Comparison.LT] is not holds[Comparison.GTE]
    assert holds[Comparison.EQ] == Comparison.EQ.holds(bound, value)
    if value == bound:
        assert holds[Comparison.EQ]
    if not holds[Comparison.EQ]:
        assert holds[Comparison.GT] is not holds[Comparison.LT]


def test_a_difference_of_floats_is_not_rounded() -> None:
    assert Comparison.GT.holds(0.93 - 0.92, 0.01)


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        (">=", Comparison.GTE),
        ("≥", Comparison.GTE),
        (" >= ", Comparison.GTE),
        ("≤", Comparison.LTE),
        ("==", Comparison.EQ),
        ("=", Comparison.EQ),
        ("<", Comparison.LT),
        (Comparison.GT, Comparison.GT),
    ],
)
def test_signs_are_read_in_both_spellings(text: str, comparison: Comparison) -> None:
    assert Comparison.parse(text) is comparison


def test_signs_are_shown_as_people_write_them() -> None:
    assert [comparison.symbol for comparison in Comparison] == [">", "≥", "<", "≤", "="]


@pytest.mark.parametrize("text", ["", "=>", "!=", "gte", "x" * 10_000, None])
def test_other_signs_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a comparison") as error:
        Comparison.parse(text)
    assert len(str(error.value)) < 100


@pytest.mark.parametrize("threshold", [math.nan, math.inf, -math.inf])
def test_a_threshold_that_is_not_finite_is_refused(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="finite"):
        PromotionPolicy().require_metric("accuracy", Comparison.GTE, threshold)
    with pytest.raises(InvalidInput, match="finite"):
        PromotionPolicy().require_test_coverage(threshold)


@pytest.mark.parametrize("stage", [Stage.DEVELOPMENT, Stage.ARCHIVED])
def test_only_staging_and_production_take_a_policy(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="cannot have a promotion policy"):
        PromotionPolicy(stage)


@pytest.mark.parametrize("stage", ["production", "Production", Stage.PRODUCTION])
def test_the_stage_of_a_policy_can_be_given_by_name(stage: Stage) -> None:
    assert PromotionPolicy(stage).stage is Stage.PRODUCTION


def test_a_policy_for_an_unknown_stage_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is not a stage"):
        PromotionPolicy("somewhere")  # type: ignore[arg-type]  # typed by hand


@pytest.mark.parametrize("count", [-1, 101, 1.5, 1.0, True, "2", None, math.nan])
def test_an_invalid_approval_count_is_refused(count: int) -> None:
    with pytest.raises(InvalidInput, match="0 to 100"):
        PromotionPolicy().require_approvals(count)


@pytest.mark.parametrize("count", [0, 100])
def test_up_to_100_approvals_may_be_required(count: int) -> None:
    assert PromotionPolicy().require_approvals(count).required_approvals == count


def test_a_policy_holds_at_most_100_requirements() -> None:
    asked = tuple(MetricRequirement(f"m{n}", Comparison.GTE, 0) for n in range(101))
    assert len(PromotionPolicy(requirements=asked[:100]).requirements) == 100
    with pytest.raises(InvalidInput, match="at most 100"):
        PromotionPolicy(requirements=asked)


@pytest.mark.parametrize("metric", ["", "x" * 251, "a\nb"])
def test_a_requirement_with_an_invalid_metric_name_is_refused(metric: str) -> None:
    with pytest.raises(InvalidInput, match="metric name"):
        PromotionPolicy().require_metric(metric, Comparison.GTE, 0.9)


def test_a_list_of_requirements_makes_the_same_policy_as_a_tuple() -> None:
    asked = [MetricRequirement("accuracy", Comparison.GTE, 0.9)]
    listed = PromotionPolicy(Stage.STAGING, asked)  # type: ignore[arg-type]  # as people do
    assert listed == PromotionPolicy(Stage.STAGING, tuple(asked))
    asked.append(MetricRequirement("f1", Comparison.GTE, 0.9))
    assert len(listed.requirements) == 1


def test_the_order_of_requirements_is_kept() -> None:
    policy = PromotionPolicy()
    for metric in ("z", "a", "m"):
        policy = policy.require_metric(metric, Comparison.GTE, 0)
    assert [outcome.metric for outcome in policy.check(evidence()).outcomes] == ["z", "a", "m"]


@pytest.mark.parametrize(("coverage", "passes"), [(80.0, True), (79.9, False), (0.8, False)])
def test_test_coverage_is_compared_in_its_own_unit(coverage: float, passes: bool) -> None:
    policy = PromotionPolicy(Stage.STAGING).require_test_coverage(80)
    assert policy.check(evidence(test_coverage=coverage)).passed == passes


@pytest.mark.parametrize("comparison", Comparison)
def test_a_missing_metric_fails_every_requirement(comparison: Comparison) -> None:
    policy_result = PromotionPolicy().require_metric("f1", comparison, 0.0).check(evidence())
    (outcome,) = policy_result.failures
    assert outcome.outcome is Outcome.MISSING
    assert outcome.observed is None
    assert outcome.sentence == "f1 was not measured."


def test_the_champions_value_is_a_baseline_and_not_a_bound() -> None:
    policy = PromotionPolicy().require_metric("accuracy", Comparison.GTE, 0.5)
    policy_result = policy.check(evidence(accuracy=0.6), evidence(accuracy=0.99))
    assert policy_result.passed
    assert policy_result.outcomes[0].baseline == 0.99
    assert policy.check(evidence(accuracy=0.6), evidence(f1=0.9)).outcomes[0].baseline is None


def test_approvals_are_not_evidence() -> None:
    assert PromotionPolicy(Stage.STAGING).require_approvals(3).check(evidence()).passed


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (
            PromotionPolicy(Stage.STAGING),
            "The policy for Staging has no requirements to check (ignoring approvals).",
        ),
        (
            PromotionPolicy(),
            "The policy has no requirements to check (ignoring approvals).",
        ),
        (
            PromotionPolicy(Stage.STAGING).require_metric("a", Comparison.GTE, 1),
            "1 of 1 requirement passed for Staging.",
        ),
        (
            PromotionPolicy()
            .require_metric("a", Comparison.GTE, 1)
            .require_metric("a", Comparison.LT, 1),
            "1 of 2 requirements failed.",
        ),
    ],
)
def test_a_policy_result_has_a_summary(policy: PromotionPolicy, sentence: str) -> None:
    assert policy.check(evidence(a=1.0)).sentence == sentence


def test_only_passed_or_waived_requirements_let_a_version_pass() -> None:
    assert [outcome for outcome in Outcome if outcome.lets_pass] == [
        Outcome.PASSED,
        Outcome.WAIVED,
    ]


def test_a_duplicate_requirement_is_refused() -> None:
    policy = PromotionPolicy().require_metric("accuracy", Comparison.GTE, 0.9)
    with pytest.raises(InvalidInput, match="Duplicate requirement"):
        policy.require_metric("accuracy", Comparison.GTE, 0.9)
    assert policy.require_metric("accuracy", Comparison.LTE, 0.99).requirements[1:]


def test_a_policy_has_at_most_one_time_requirement() -> None:
    with pytest.raises(InvalidInput, match="one time"):
        PromotionPolicy().require(TimeInStage(1)).require(TimeInStage(2))


def test_the_order_of_requirements_does_not_change_what_is_required() -> None:
    one = PromotionPolicy(Stage.STAGING).require_metric("a", Comparison.GT, 1)
    other = PromotionPolicy(Stage.STAGING).require_metric("b", Comparison.GT, 1)
    both = one.require_metric("b", Comparison.GT, 1)
    turned = other.require_metric("a", Comparison.GT, 1)
    assert both.is_equivalent_to(turned)
    assert not both.is_equivalent_to(one)
    assert not both.is_equivalent_to(turned.require_approvals(1))


@given(st.text(min_size=1, max_size=20), st.none() | st.text(max_size=20))
@example("a=b", None)
@example("=", None)
@example("a", "b\nc = d")
@example('"a', '" = ')
def test_a_required_tag_is_read_back_from_its_line(key: str, value: str | None) -> None:
    try:
        tag = RequiredTag(key, value)
    except InvalidInput:
        assume(False)
    assert RequiredTag.parse(tag.line) == tag
    assert "\n" not in tag.line


@pytest.mark.parametrize("line", ["", "= low", '"" = "a"'])
def test_a_line_without_a_tag_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput):
        RequiredTag.parse(line)


def test_building_on_a_policy_leaves_it_as_it_was() -> None:
    first = PromotionPolicy(Stage.STAGING)
    first.require_metric("accuracy", Comparison.GTE, 0.9)
    assert first == PromotionPolicy(Stage.STAGING)


def test_without_a_policy_everything_passes_and_it_says_so() -> None:
    policy_result = no_policy(Stage.STAGING)
    assert policy_result.passed
    assert "No promotion policy is set for Staging" in policy_result.sentence


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
    st.none() | st.dictionaries(st.text("abcdef_", min_size=1, max_size=8), finite, max_size=6),
    st.none() | st.integers(1, 9),
)
def test_a_policy_result_passes_when_every_requirement_does_and_is_read_back(
    asked: list[MetricRequirement],
    values: dict[str, float],
    champions: dict[str, float] | None,
    revision: int | None,
) -> None:
    seen = evidence(**values)
    champion = None if champions is None else evidence(**champions)
    policy_result = PromotionPolicy(Stage.STAGING, tuple(asked)).check(
        seen, champion, revision=revision
    )
    assert len(policy_result.outcomes) == len(asked)
    assert policy_result.passed == all(
        r.metric in values and r.comparison.holds(values[r.metric], r.threshold) for r in asked
    )
    assert (
        PolicyResult.from_document(json.loads(json.dumps(policy_result.to_document())))
        == policy_result
    )


@given(finite)
def test_a_number_is_written_with_all_its_digits(value: float) -> None:
    assert float(number_text(value)) == value


def test_the_policy_result_without_a_policy_is_read_back() -> None:
    for stage in (None, Stage.PRODUCTION):
        policy_result = no_policy(stage)
        assert (
            PolicyResult.from_document(json.loads(json.dumps(policy_result.to_document())))
            == policy_result
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9, "0.9"),
        (100.0, "100"),
        (-3.0, "-3"),
        (-0.0, "0"),
        (1e-12, "1e-12"),
        (1e15, "1000000000000000"),
        (9007199254740993.0, "9007199254740992"),
        (1e16, "1e+16"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_a_number_is_written_without_needless_digits(value: float, text: str) -> None:
    assert number_text(value) == text
