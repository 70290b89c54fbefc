"""Differences between two policies, described in words."""

from __future__ import annotations

import pytest

from obeya.policy.bounds import Comparison
from obeya.policy.diff import Change, diff_policies
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import ChampionRequirement, MetricRequirement, Requirement
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage

ACCURATE = MetricRequirement("accuracy", Comparison.GTE, 0.9)
FAST = MetricRequirement("latency", Comparison.LTE, 100)


def changes(old: list[Requirement], new: list[Requirement]) -> list[tuple[str, str]]:
    diff = diff_policies(
        PromotionPolicy(requirements=tuple(old)), PromotionPolicy(requirements=tuple(new))
    )
    return [(change.old, change.new) for change in diff.changes]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([ACCURATE], [ACCURATE], []),
        ([], [ACCURATE], [("", "accuracy ≥ 0.9")]),
        ([ACCURATE], [], [("accuracy ≥ 0.9", "")]),
        (
            [ACCURATE],
            [MetricRequirement("accuracy", Comparison.GTE, 0.95)],
            [("accuracy ≥ 0.9", "accuracy ≥ 0.95")],
        ),
        (
            [ACCURATE],
            [ChampionRequirement("accuracy", Comparison.GT)],
            [("accuracy ≥ 0.9", "accuracy > champion")],
        ),
        (
            [ACCURATE, MetricRequirement("accuracy", Comparison.LT, 1)],
            [MetricRequirement("accuracy", Comparison.LT, 0.99)],
            [("accuracy < 1", "accuracy < 0.99"), ("accuracy ≥ 0.9", "")],
        ),
        ([RequiredTag("a", "1")], [RequiredTag("a", "2")], None),
        ([RequiredTag("a", "1")], [RequiredTag("b", "1")], None),
        ([TimeInStage(24)], [TimeInStage(48)], None),
        ([RequiredDescription()], [FAST], None),
    ],
)
def test_an_edited_requirement_is_one_change(
    old: list[Requirement], new: list[Requirement], said: list[tuple[str, str]] | None
) -> None:
    if said is None:
        same = type(old[0]) is type(new[0]) and getattr(old[0], "key", "") == getattr(
            new[0], "key", ""
        )
        line, other = old[0].describe(), new[0].describe()
        said = [(line, other)] if same else [("", other), (line, "")]
    assert changes(old, new) == said


def test_settings_are_named() -> None:
    old = PromotionPolicy()
    new = PromotionPolicy(
        min_test_coverage=80,
        required_approvals=2,
        count_service_approvals=True,
        auto_promote=True,
        mode=Mode.WARN,
    )
    assert [change.setting for change in diff_policies(old, new).changes] == [
        "Test coverage",
        "Approvals",
        "Approvals by service accounts",
        "Move after the last approval",
        "Failing versions",
    ]
    assert diff_policies(old, new).changes[1] == Change("none", "2", "Approvals")


def test_a_changed_order_is_the_only_difference() -> None:
    one, other = (
        PromotionPolicy(requirements=(ACCURATE, FAST)),
        PromotionPolicy(requirements=(FAST, ACCURATE)),
    )
    diff = diff_policies(one, other)
    assert (diff.changes, diff.is_reordered, diff.is_empty) == ((), True, False)
    assert diff_policies(one, one).is_empty
    assert diff.unchanged == ("latency ≤ 100", "accuracy ≥ 0.9")
