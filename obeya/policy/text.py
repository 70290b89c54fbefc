"""The text form of policies: the format of policy files, which docs/policies.md specifies.

A requirement on a metric is one line of text (``imagenet_top1 >= 80``, ``auc >= champion - 1 %``,
``auc > champion beyond noise``); any other requirement is a mapping with a key that determines its
kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from obeya.errors import InvalidInput
from obeya.policy.bounds import Comparison, number_text
from obeya.policy.policy import PromotionPolicy, requirement_from_document
from obeya.policy.requirements import ChampionRequirement, MetricRequirement, Requirement
from obeya.stages import Stage

LINE_MAX = 1_000
_NUMBER = r"[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|[+-]?\.\d+(?:[eE][+-]?\d+)?"
_SIGN = r">=|<=|==|>|<|=|≥|≤"
# A metric with a sign at its end is written as a mapping instead.
_METRIC = r".*[^\s<>=≥≤]"
# The last sign on the line is the comparison: the name of a metric can contain other signs.
_AGAINST_VALUE = re.compile(rf"(?P<metric>{_METRIC})\s*(?P<sign>{_SIGN})\s*(?P<number>{_NUMBER})")
_AGAINST_CHAMPION = re.compile(
    rf"(?P<metric>{_METRIC})\s*(?P<sign>{_SIGN})\s*champion"
    rf"(?:\s*(?P<way>[+−-])\s*(?P<number>{_NUMBER})\s*(?P<percent>%)?)?"
    r"(?P<noise>\s+beyond\s+noise)?"
)
_SETTINGS = ("min_test_coverage", "required_approvals", "count_service_approvals", "auto_promote")
_KEYS = ("mode", *_SETTINGS, "requirements")


def parse_requirement(item: object) -> Requirement:
    """Parse one requirement: a line of text or a mapping.

    Raises:
        InvalidInput: it is not a requirement; the sentence shows how to write one.
    """
    if isinstance(item, Mapping):
        try:
            return requirement_from_document(
                {"tag": item["tag"], "value": item.get("value")}
                if item.keys() <= {"tag", "value"} and "tag" in item
                else item
            )
        except (TypeError, ValueError, KeyError):
            raise _unreadable(str(dict(item))) from None
    if not isinstance(item, str) or len(item) > LINE_MAX:
        raise _unreadable(str(item))
    line = item.strip()
    found = _AGAINST_CHAMPION.fullmatch(line)
    if found is not None:
        offset = float((found["number"] or "0").replace("_", ""))
        return ChampionRequirement(
            found["metric"],
            Comparison.parse(found["sign"]),
            -offset if found["way"] in ("-", "−") else offset,
            bool(found["percent"]),
            bool(found["noise"]),
        )
    found = _AGAINST_VALUE.fullmatch(line)
    if found is None:
        raise _unreadable(line)
    return MetricRequirement(
        found["metric"], Comparison.parse(found["sign"]), float(found["number"].replace("_", ""))
    )


def requirement_text(requirement: Requirement) -> str | dict[str, Any]:
    """Return the form of a requirement that `parse_requirement` reads.

    It is a text if the text is parsed to an equal requirement, else a mapping.
    """
    document = requirement.to_document()
    match requirement:
        case MetricRequirement():
            number = number_text(requirement.threshold)
            line = f"{requirement.metric} {requirement.comparison.value} {number}"
        case ChampionRequirement():
            line = f"{requirement.metric} {requirement.comparison.value} champion"
            if requirement.offset:
                way = "-" if requirement.offset < 0 else "+"
                percent = " %" if requirement.in_percent else ""
                line += f" {way} {number_text(abs(requirement.offset))}{percent}"
            line += " beyond noise" if requirement.beyond_noise else ""
        case _:
            return {key: value for key, value in document.items() if value is not None}
    try:
        return line if parse_requirement(line) == requirement else document
    except InvalidInput:
        return document


def policy_as_plain(policy: PromotionPolicy) -> dict[str, Any]:
    """Return the policy without its stage, as plain values; default values are left out."""
    plain: dict[str, Any] = {}
    empty = PromotionPolicy(policy.stage)
    if policy.mode is not empty.mode:
        plain["mode"] = policy.mode.value
    for key in _SETTINGS:
        if getattr(policy, key) != getattr(empty, key):
            plain[key] = getattr(policy, key)
    plain["requirements"] = [requirement_text(r) for r in policy.requirements]
    return plain


def policy_from_plain(stage: Stage, plain: Mapping[str, Any]) -> PromotionPolicy:
    """Read what `policy_as_plain` wrote.

    Raises:
        InvalidInput: a key is unknown, or a value is not valid. `field` is the key.
    """
    for key in plain:
        if key not in _KEYS:
            raise InvalidInput(
                f"Unknown key “{str(key)[:64]}” in a policy. The keys are stage, model, "
                f"{', '.join(_KEYS)}.",
                field=str(key),
            )
    requirements = plain.get("requirements") or []
    if not isinstance(requirements, list):
        raise InvalidInput("“requirements” must be a list.", field="requirements")
    coverage = plain.get("min_test_coverage")
    if coverage is not None and (
        isinstance(coverage, bool) or not isinstance(coverage, int | float)
    ):
        raise InvalidInput("The minimum test coverage must be a number.", field="min_test_coverage")
    return PromotionPolicy(
        stage=stage,
        requirements=tuple(parse_requirement(item) for item in requirements),
        min_test_coverage=coverage,
        required_approvals=plain.get("required_approvals", 0),
        auto_promote=plain.get("auto_promote", False),
        mode=plain.get("mode", PromotionPolicy(stage).mode),
        count_service_approvals=plain.get("count_service_approvals", False),
    )


def _unreadable(text: str) -> InvalidInput:
    return InvalidInput(
        f"“{text[:128]}” is not a requirement. Write it like “accuracy >= 0.9”, "
        "“accuracy >= champion - 1 %”, “tag: reviewed” or “hours_in_stage: 24”.",
        field="requirements",
    )
