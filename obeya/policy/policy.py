"""Promotion policies: the requirements of a version for entering a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, overload

from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policy.artifact_rules import ArtifactDigest, MaximumSize, NoCode, NoPickle
from obeya.policy.bounds import Comparison, number_text
from obeya.policy.requirements import (
    NO_DEFINITIONS,
    ChampionRequirement,
    Definitions,
    Evidence,
    MetricRequirement,
    Outcome,
    Requirement,
    RequirementOutcome,
)
from obeya.policy.results import Mode, PolicyResult
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.policy.waivers import Waiver
from obeya.stages import Stage

TEST_COVERAGE = "test_coverage"
APPROVALS_MAX = 100
REQUIREMENTS_MAX = 100


@dataclass(frozen=True, slots=True)
class PromotionPolicy:
    """The requirements that a version must meet to enter `stage`.

    `requirements` can be of any kind in `obeya.policy`. `min_test_coverage` is the minimum of the
    metric ``test_coverage``, in that metric's unit. `required_approvals` counts different people,
    and service accounts too with `count_service_approvals`; with `auto_promote` a request is
    carried out immediately when it has all approvals. In the mode `Mode.WARN` nothing is refused:
    failed requirements and missing approvals are warnings. A policy without a stage can be checked
    but not stored.

    Raises:
        InvalidInput: the stage cannot have a policy, a bound is not finite, there is a duplicate
            requirement or more than one for the time in stage, or a count is out of range.
    """

    stage: Stage | None = None
    requirements: tuple[Requirement, ...] = ()
    min_test_coverage: float | None = None
    required_approvals: int = 0
    auto_promote: bool = False
    mode: Mode = Mode.ENFORCE
    count_service_approvals: bool = False

    def __post_init__(self) -> None:
        if self.stage is not None:
            object.__setattr__(self, "stage", Stage.parse(self.stage))
        # A list and a tuple of the same requirements are the same policy.
        object.__setattr__(self, "requirements", tuple(self.requirements))
        if self.stage is not None and not self.stage.is_gated:
            raise InvalidInput(
                f"{self.stage.label} cannot have a promotion policy. Choose Staging or Production.",
                field="stage",
            )
        if self.min_test_coverage is not None:
            coverage = finite(self.min_test_coverage, what="The minimum test coverage")
            object.__setattr__(self, "min_test_coverage", coverage)
        count = self.required_approvals
        if type(count) is not int or not 0 <= count <= APPROVALS_MAX:
            raise InvalidInput(
                f"The number of approvals must be a whole number from 0 to {APPROVALS_MAX}.",
                field="required_approvals",
            )
        if len(self.requirements) > REQUIREMENTS_MAX:
            raise InvalidInput(
                f"A policy can have at most {REQUIREMENTS_MAX} requirements.",
                field="requirements",
            )
        object.__setattr__(self, "mode", _mode(self.mode))
        _check_switch(self.auto_promote, "auto_promote")
        _check_switch(self.count_service_approvals, "count_service_approvals")
        lines = [requirement.describe() for requirement in self.requirements]
        for line in lines:
            if lines.count(line) > 1:
                raise InvalidInput(f"Duplicate requirement “{line}”.", field="requirements")
        if sum(isinstance(requirement, TimeInStage) for requirement in self.requirements) > 1:
            raise InvalidInput(
                "A policy can require only one time in the previous stage. Keep the longer one.",
                field="requirements",
            )

    def require(self, requirement: Requirement) -> PromotionPolicy:
        """Return this policy with one more requirement of any kind."""
        return replace(self, requirements=(*self.requirements, requirement))

    @overload
    def require_metric(self, requirement: MetricRequirement, /) -> PromotionPolicy: ...

    @overload
    def require_metric(
        self, name: str, comparison: Comparison, threshold: float
    ) -> PromotionPolicy: ...

    def require_metric(
        self,
        name: str | MetricRequirement,
        comparison: Comparison | None = None,
        threshold: float | None = None,
    ) -> PromotionPolicy:
        """Return this policy with one more metric requirement.

        Takes a `MetricRequirement`, or its name, comparison and threshold.

        Raises:
            InvalidInput: the name, comparison or threshold is invalid or missing.
        """
        if isinstance(name, MetricRequirement):
            return self.require(name)
        if comparison is None or threshold is None:
            raise InvalidInput(
                "A metric requirement needs a name, a comparison and a threshold.",
                field="requirements",
            )
        return self.require(MetricRequirement(name, comparison, threshold))

    def require_against_champion(
        self,
        metric: str,
        comparison: Comparison,
        offset: float = 0.0,
        *,
        in_percent: bool = False,
        beyond_noise: bool = False,
    ) -> PromotionPolicy:
        """Return this policy with one more requirement relative to the champion."""
        return self.require(
            ChampionRequirement(metric, comparison, offset, in_percent, beyond_noise)
        )

    def require_test_coverage(self, minimum: float) -> PromotionPolicy:
        """Return this policy with a minimum for the metric ``test_coverage``."""
        return replace(self, min_test_coverage=minimum)

    def require_approvals(self, count: int) -> PromotionPolicy:
        """Return this policy with `count` approvals required."""
        return replace(self, required_approvals=count)

    def is_equivalent_to(self, other: PromotionPolicy) -> bool:
        """Return whether both policies have the same requirements, in any order."""
        return replace(self, requirements=()) == replace(other, requirements=()) and set(
            self.requirements
        ) == set(other.requirements)

    @property
    def evidence_requirements(self) -> tuple[Requirement, ...]:
        """All requirements on evidence, including the minimum test coverage as a requirement."""
        if self.min_test_coverage is None:
            return self.requirements
        floor = MetricRequirement(TEST_COVERAGE, Comparison.GTE, self.min_test_coverage)
        return (*self.requirements, floor)

    @property
    def lines(self) -> tuple[str, ...]:
        """All requirements and settings of the policy, one line each."""
        count = self.required_approvals
        approvals = f"{count} {'approval' if count == 1 else 'approvals'}" if count else ""
        floor = self.min_test_coverage
        coverage = "" if floor is None else f"test coverage ≥ {number_text(floor)}"
        services = "approvals by service accounts count" if self.count_service_approvals else ""
        automatic = "moves automatically after the last approval" if self.auto_promote else ""
        only_warns = "only warns" if self.mode is Mode.WARN else ""
        asked = (r.describe() for r in self.requirements)
        settings = (coverage, approvals, services, automatic, only_warns)
        return tuple(filter(None, (*asked, *settings)))

    @property
    def metric_names(self) -> frozenset[str]:
        """Every metric in the requirements."""
        return frozenset(r.metric for r in self.evidence_requirements if r.metric)

    @property
    def uses_champion(self) -> bool:
        """Whether a requirement compares the version with the champion."""
        return self.has_any(ChampionRequirement)

    def has_any(self, *kinds: type) -> bool:
        """Return whether a requirement is of one of these kinds."""
        return any(isinstance(requirement, kinds) for requirement in self.requirements)

    @property
    def uses_noise(self) -> bool:
        """Whether a requirement needs the metric definitions, which determine the noise."""
        return any(isinstance(r, ChampionRequirement) and r.beyond_noise for r in self.requirements)

    def check(
        self,
        evidence: Evidence,
        champion: Evidence | None = None,
        *,
        revision: int | None = None,
        definitions: Definitions = NO_DEFINITIONS,
        waivers: Iterable[Waiver] = (),
        at: datetime | None = None,
    ) -> PolicyResult:
        """Check the evidence against every requirement, without stopping at a failure.

        `waivers` are those of the version for this stage; those active `at` let their requirements
        pass. Approvals are not evidence: they are counted when a move is judged.
        """
        active = {
            line: waiver
            for waiver in waivers
            if at is not None and waiver.is_active(at)
            for line in waiver.requirements
        }
        outcomes = (r.check(evidence, champion, definitions) for r in self.evidence_requirements)
        return PolicyResult(
            outcomes=tuple(_waived(outcome, active) for outcome in outcomes),
            stage=self.stage,
            policy_revision=revision,
            mode=self.mode,
        )

    def passes(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> bool:
        """Return whether `check` would pass without waivers; does not create sentences."""
        return self.judge(definitions)(evidence, champion)

    def judge(self, definitions: Definitions) -> Callable[[Evidence, Evidence | None], bool]:
        """Return `passes` as a function of evidence and champion, for many calls."""
        outcomes = tuple(requirement.outcome for requirement in self.evidence_requirements)

        def passes(evidence: Evidence, champion: Evidence | None) -> bool:
            return all(outcome(evidence, champion, definitions).lets_pass for outcome in outcomes)

        return passes

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form that is stored as a revision and read by `from_document`.

        `count_service_approvals` is included only if it is true: approvals are bound to a digest
        that covers this form, and those of earlier versions of Obeya remain valid.
        """
        document = {
            "stage": self.stage.value if self.stage else None,
            "requirements": [requirement.to_document() for requirement in self.requirements],
            "min_test_coverage": self.min_test_coverage,
            "required_approvals": self.required_approvals,
            "auto_promote": self.auto_promote,
            "mode": self.mode.value,
        }
        if self.count_service_approvals:
            document["count_service_approvals"] = True
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PromotionPolicy:
        """Read what `to_document` wrote, in this or an older version of Obeya."""
        return cls(
            stage=Stage(document["stage"]) if document["stage"] else None,
            requirements=requirements_from_documents(document["requirements"]),
            min_test_coverage=document["min_test_coverage"],
            required_approvals=document["required_approvals"],
            auto_promote=document.get("auto_promote", False),
            mode=Mode(document.get("mode", Mode.ENFORCE)),
            count_service_approvals=document.get("count_service_approvals", False),
        )


_SWITCHES: Mapping[str, Callable[..., Requirement]] = {
    "description": RequiredDescription,
    "artifact_digest": ArtifactDigest,
    "no_pickle": NoPickle,
    "no_code": NoCode,
}
_CHAMPION_KEYS = ("offset", "in_percent", "beyond_noise")
_KEYS_BY_KIND = (
    ("metric", "comparison", "threshold"),
    ("metric", "comparison", "champion"),
    ("hours_in_stage",),
    ("tag", "value"),
    ("description",),
    ("artifact_digest",),
    ("no_pickle",),
    ("no_pickle", "unstored"),
    ("no_code",),
    ("no_code", "unstored"),
    ("artifact_max_mib",),
)
_REQUIREMENT_KEYS = frozenset(map(frozenset, _KEYS_BY_KIND))


def requirements_from_documents(
    documents: Sequence[Mapping[str, Any]],
) -> tuple[Requirement, ...]:
    """Read the requirements that `Requirement.to_document` wrote, in their order."""
    return tuple(requirement_from_document(row) for row in documents)


def requirement_from_document(row: Mapping[str, Any]) -> Requirement:
    """Read the requirement that its `to_document` wrote; the keys determine its kind.

    Raises:
        InvalidInput: no kind of requirement has these keys, or a value is invalid.
    """
    keys = frozenset(row)
    # A mapping pattern also matches extra keys; ignoring one would silently drop a requirement.
    if keys in _REQUIREMENT_KEYS:
        match row:
            case {"metric": metric, "comparison": sign, "threshold": threshold}:
                return MetricRequirement(metric, Comparison.parse(sign), threshold)
            case {"metric": metric, "comparison": sign, "champion": Mapping() as relative}:
                return _against_champion(metric, sign, relative)
            case {"hours_in_stage": hours}:
                return TimeInStage(hours)
            case {"tag": key, "value": value}:
                return RequiredTag(key, value)
            case {"artifact_max_mib": mebibytes}:
                return MaximumSize(mebibytes)
            case _:
                for switch in keys & _SWITCHES.keys():
                    if row[switch] is True:
                        options = {key: row[key] for key in keys - {switch}}
                        return _SWITCHES[switch](**options)
    raise _unknown_kind(row)


def _unknown_kind(row: Mapping[str, Any]) -> InvalidInput:
    if "champion" in row and frozenset(row) in _REQUIREMENT_KEYS:
        return InvalidInput(
            f"The value of “champion” must be an object with {', '.join(_CHAMPION_KEYS)} (all "
            "optional).",
            field="requirements",
        )
    if frozenset(row) in _REQUIREMENT_KEYS:
        switch = next(key for key in row if key in _SWITCHES)
        return InvalidInput(f"The value of “{switch}” must be true.", field="requirements")
    listed = ", ".join(str(key)[:64] for key in row)
    valid = "; ".join(" + ".join(keys) for keys in _KEYS_BY_KIND)
    return InvalidInput(
        f"There is no requirement with the key{'' if len(row) == 1 else 's'} {listed or '(none)'}. "
        f"Valid keys: {valid}.",
        field="requirements",
    )


def _against_champion(metric: str, sign: str, relative: Mapping[str, Any]) -> ChampionRequirement:
    unknown = [str(key) for key in relative if key not in _CHAMPION_KEYS]
    if unknown:
        raise InvalidInput(
            f"Unknown key “{unknown[0][:32]}” in a bound relative to the champion. The keys are "
            f"{', '.join(_CHAMPION_KEYS)}.",
            field="requirements",
        )
    return ChampionRequirement(metric, Comparison.parse(sign), **relative)


def _waived(outcome: RequirementOutcome, waivers: Mapping[str, Waiver]) -> RequirementOutcome:
    waiver = waivers.get(outcome.requirement)
    if waiver is None or outcome.outcome.lets_pass:
        return outcome
    return replace(
        outcome,
        outcome=Outcome.WAIVED,
        sentence=f"{outcome.sentence} Waived by {waiver.granted_by}.",
        waiver=waiver.id,
    )


def _check_switch(value: object, field: str) -> None:
    if type(value) is not bool:
        raise InvalidInput(f"{field} must be true or false.", field=field)


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise InvalidInput(
            f"“{str(text)[:32]}” is not a mode; the modes are enforce and warn.", field="mode"
        ) from None
