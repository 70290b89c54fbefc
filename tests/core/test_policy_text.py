"""The text form of policies, and warnings about contradictions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import InvalidInput
from obeya.metrics import Metric
from obeya.policy.advice import contradictions
from obeya.policy.artifact_rules import BY_NAME, ArtifactDigest, NoCode, NoPickle
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import ChampionRequirement, Evidence, MetricRequirement, Requirement
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.policy.text import (
    parse_requirement,
    policy_as_plain,
    policy_from_plain,
    requirement_text,
)
from obeya.stages import Stage

numbers = st.floats(allow_nan=False, allow_infinity=False)
signs = st.sampled_from(list(Comparison))
# Names that look like requirements are the difficult cases.
words = st.sampled_from(["auc", "a >= b", "champion", "x - 1 %", "beyond noise", "tag", ">", "é 1"])
metric_requirements = st.builds(MetricRequirement, words, signs, numbers)
champion_requirements = st.builds(ChampionRequirement, words, signs, numbers, st.booleans())
noise_requirements = st.builds(
    ChampionRequirement,
    words,
    st.sampled_from([Comparison.GT, Comparison.LT]),
    numbers,
    st.booleans(),
    st.just(True),
)
requirements = st.one_of(
    metric_requirements,
    champion_requirements,
    noise_requirements,
    st.builds(TimeInStage, st.floats(0.001, 80_000)),
    st.builds(RequiredTag, words, st.none() | st.sampled_from(["", "low", "= 5"])),
    st.sampled_from(
        [RequiredDescription(), ArtifactDigest(), NoPickle(), NoPickle(BY_NAME), NoCode()]
    ),
)


def uniqueness_key(requirement: Requirement) -> object:
    """Return the key by which the requirements of a policy are unique."""
    return TimeInStage if isinstance(requirement, TimeInStage) else requirement.describe()


policies = st.builds(
    PromotionPolicy,
    stage=st.sampled_from([Stage.STAGING, Stage.PRODUCTION]),
    requirements=st.lists(requirements, max_size=5, unique_by=uniqueness_key),
    min_test_coverage=st.none() | numbers,
    required_approvals=st.integers(0, 100),
    auto_promote=st.booleans(),
    count_service_approvals=st.booleans(),
    mode=st.sampled_from(list(Mode)),
)


@given(requirements)
def test_a_written_policy_is_parsed_back_equal(requirement: MetricRequirement) -> None:
    assert parse_requirement(requirement_text(requirement)) == requirement


@given(policies)
def test_a_policy_comes_back_from_its_plain_form(policy: PromotionPolicy) -> None:
    assert policy.stage is not None
    assert policy_from_plain(policy.stage, policy_as_plain(policy)) == policy


@given(st.text(max_size=60) | st.integers() | st.dictionaries(st.text(), st.integers()))
def test_any_text_is_parsed_or_refused(item: object) -> None:
    try:
        requirement = parse_requirement(item)
    except InvalidInput:
        return
    assert requirement.describe()


@pytest.mark.parametrize(
    ("line", "requirement"),
    [
        ("imagenet_top1 >= 80", MetricRequirement("imagenet_top1", Comparison.GTE, 80.0)),
        ("auc≥.5", MetricRequirement("auc", Comparison.GTE, 0.5)),
        ("n == 1_000", MetricRequirement("n", Comparison.EQ, 1000.0)),
        ("auc >= champion", ChampionRequirement("auc", Comparison.GTE)),
        (
            "auc >= champion - 1 %",
            ChampionRequirement("auc", Comparison.GTE, -1.0, in_percent=True),
        ),
        ("ms <= champion + 5", ChampionRequirement("ms", Comparison.LTE, 5.0)),
        ("auc > champion beyond noise", ChampionRequirement("auc", Comparison.GT, 0, False, True)),
    ],
)
def test_the_lines_that_the_documents_show(line: str, requirement: object) -> None:
    assert parse_requirement(line) == requirement


@pytest.mark.parametrize("line", ["", "auc", "auc >= much", "auc >= nan", "auc >= 1e999", ">= 5"])
def test_an_invalid_line_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput):
        parse_requirement(line)


@given(st.lists(st.tuples(signs, st.integers(-3, 3)), min_size=1, max_size=4, unique=True))
def test_a_contradiction_is_reported_exactly_if_no_value_passes(
    asked: list[tuple[Comparison, int]],
) -> None:
    policy = PromotionPolicy()
    for sign, bound in asked:
        policy = policy.require_metric("auc", sign, bound)
    # Bounds are integers: if any value passes, so does an integer, a half, or one just beside it.
    tried = [n / 2 for n in range(-10, 11)]
    tried += [math.nextafter(n, side) for n in range(-4, 5) for side in (-math.inf, math.inf)]
    possible = any(
        policy.passes(Evidence(version=1, metrics={"auc": Metric("auc", value)}), None, {})
        for value in tried
    )
    assert bool(contradictions(policy)) is not possible


def test_a_tag_cannot_have_two_values() -> None:
    policy = PromotionPolicy().require(RequiredTag("risk", "low"))
    assert contradictions(policy) == ()
    (sentence,) = contradictions(policy.require(RequiredTag("risk", "high")))
    assert "“risk”" in sentence
