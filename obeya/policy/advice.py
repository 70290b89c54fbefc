"""Problems of a policy that can be stored: limits that no version can meet."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import MetricRequirement
from obeya.policy.rules import RequiredTag


def contradictions(policy: PromotionPolicy) -> tuple[str, ...]:
    """Return why no version can ever pass, a sentence for each contradiction found.

    Only absolute bounds and tags can contradict each other with certainty: a bound relative to the
    champion moves with the champion.
    """
    bounds: dict[str, list[MetricRequirement]] = defaultdict(list)
    for requirement in policy.evidence_requirements:
        if isinstance(requirement, MetricRequirement):
            bounds[requirement.metric].append(requirement)
    found = [_clash(metric, asked) for metric, asked in bounds.items()]
    values: dict[str, list[str]] = defaultdict(list)
    for requirement in policy.requirements:
        if isinstance(requirement, RequiredTag) and requirement.value is not None:
            values[requirement.key].append(requirement.value)
    found += [
        f"The tag “{key}” cannot have more than one value: {', '.join(wanted)}."
        for key, wanted in values.items()
        if len(wanted) > 1
    ]
    return tuple(sentence for sentence in found if sentence)


def _clash(metric: str, asked: list[MetricRequirement]) -> str:
    """Return why no value meets all bounds of one metric; empty if a value does.

    If any value meets all bounds, then one of these does: the bounds, their neighbours, and the
    midpoints between them.
    """
    points = sorted({requirement.threshold for requirement in asked})
    tried = [
        *points,
        *(math.nextafter(point, math.inf) for point in points),
        *(math.nextafter(point, -math.inf) for point in points),
        *((low / 2 + high / 2) for low, high in itertools.pairwise(points)),
    ]
    for value in tried:
        if math.isfinite(value) and all(r.comparison.holds(value, r.threshold) for r in asked):
            return ""
    lines = " and ".join(r.describe() for r in asked)
    return f"No value of {metric} can meet {lines}, so no version can pass."
