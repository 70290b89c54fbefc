"""The differences between two policies, by requirement and by setting, as text."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from obeya.policy.bounds import number_text
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import ChampionRequirement, MetricRequirement, Requirement
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredTag


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `old` is empty for an added line, `new` for a removed one.

    `setting` is the name of the changed setting; empty if a requirement changed.
    """

    old: str
    new: str
    setting: str = ""

    @property
    def is_added(self) -> bool:
        """Whether the older policy did not require it."""
        return not self.old

    @property
    def is_removed(self) -> bool:
        """Whether the newer policy no longer requires it."""
        return not self.new


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """The changed, added and removed requirements, the changed settings, and the unchanged lines.

    `is_reordered`: the same requirements are in a different order, which gives the same result.
    """

    changes: tuple[Change, ...]
    unchanged: tuple[str, ...] = ()
    is_reordered: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether both policies have the same requirements in the same order."""
        return not self.changes and not self.is_reordered


def diff_policies(old: PromotionPolicy, new: PromotionPolicy) -> PolicyDiff:
    """Return what changed for each requirement and setting from `old` to `new`.

    A removed and an added requirement count as one change if they have the same subject: first
    those with the same sign, then those of the same metric or tag, then those of a kind that a
    policy has only once.
    """
    kept = {r.describe() for r in old.requirements} & {r.describe() for r in new.requirements}
    gone = [r for r in old.requirements if r.describe() not in kept]
    came = [r for r in new.requirements if r.describe() not in kept]
    pairs: dict[str, str] = {}
    for about in (_same_sign, _same_subject):
        for before in list(gone):
            twin = next((r for r in came if about(r) == about(before)), None)
            if twin is not None:
                pairs[twin.describe()] = before.describe()
                gone.remove(before)
                came.remove(twin)
    # In the order of the newer policy, followed by the removed requirements.
    changes = [
        Change(pairs.get(line, ""), line)
        for line in (r.describe() for r in new.requirements)
        if line not in kept
    ]
    changes += [Change(r.describe(), "") for r in gone]
    before_kept = [r.describe() for r in old.requirements if r.describe() in kept]
    after_kept = [r.describe() for r in new.requirements if r.describe() in kept]
    changes += [
        Change(say(old), say(new), setting)
        for setting, say in _SETTINGS.items()
        if say(old) != say(new)
    ]
    return PolicyDiff(tuple(changes), tuple(after_kept), before_kept != after_kept)


def _same_sign(requirement: Requirement) -> Hashable:
    sign = getattr(requirement, "comparison", None)
    return type(requirement), _same_subject(requirement), sign


def _same_subject(requirement: Requirement) -> Hashable:
    if isinstance(requirement, MetricRequirement | ChampionRequirement):
        return "metric", requirement.metric
    if isinstance(requirement, RequiredTag):
        return "tag", requirement.key
    return type(requirement)


def _coverage(policy: PromotionPolicy) -> str:
    floor = policy.min_test_coverage
    return "not required" if floor is None else f"at least {number_text(floor)}"


def _approvals(policy: PromotionPolicy) -> str:
    return str(policy.required_approvals or "none")


def _service_approvals(policy: PromotionPolicy) -> str:
    return "counted" if policy.count_service_approvals else "not counted"


def _auto_promote(policy: PromotionPolicy) -> str:
    return "automatic" if policy.auto_promote else "manual"


def _mode(policy: PromotionPolicy) -> str:
    return "refused" if policy.mode is Mode.ENFORCE else "allowed with a warning"


_SETTINGS: dict[str, Callable[[PromotionPolicy], str]] = {
    "Test coverage": _coverage,
    "Approvals": _approvals,
    "Approvals by service accounts": _service_approvals,
    "Move after the last approval": _auto_promote,
    "Failing versions": _mode,
}
