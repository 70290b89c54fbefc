"""The next step for each requirement that a version fails."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from obeya.policy.artifact_rules import ArtifactDigest, MaximumSize, NoCode, NoPickle
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import ChampionRequirement, Outcome, Requirement, RequirementOutcome
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """One requirement and what meets it.

    `command` is a call in Python, empty if no call helps; `until` is the time from which it is met
    by waiting only.
    """

    requirement: str
    sentence: str
    command: str = ""
    until: datetime | None = None


def next_steps(
    model: str,
    number: int,
    failures: Iterable[RequirementOutcome],
    policy: PromotionPolicy | None,
    *,
    entered_at: datetime,
) -> tuple[NextStep, ...]:
    """Return a step for each failure, in the policy's order; missing metrics share one command.

    `entered_at` is when the version entered its current stage.
    """
    asked = {r.describe(): r for r in policy.evidence_requirements} if policy else {}
    steps: list[NextStep] = []
    missing: dict[str, None] = {}
    for failure in failures:
        if failure.metric and failure.outcome is Outcome.MISSING:
            missing[failure.metric] = None
            continue
        requirement = asked.get(failure.requirement)
        steps.append(_step(model, number, failure, requirement, entered_at))
    if missing:
        values = ", ".join(f"{_quoted(metric)}: ..." for metric in missing)
        steps.insert(
            0,
            NextStep(
                requirement=", ".join(missing),
                sentence="Measure and log the metric."
                if len(missing) == 1
                else "Measure and log the metrics.",
                command=f"registry.log_metrics({_quoted(model)}, {number}, {{{values}}})",
            ),
        )
    return tuple(steps)


def _step(
    model: str,
    number: int,
    failure: RequirementOutcome,
    requirement: Requirement | None,
    entered_at: datetime,
) -> NextStep:
    line = failure.requirement
    match requirement:
        case TimeInStage(hours=hours):
            return NextStep(
                requirement=line,
                sentence="Wait until",
                command="",
                until=entered_at + _hours(hours),
            )
        case RequiredTag(key=key, value=value):
            given = "..." if value is None else _quoted(value)
            return NextStep(
                requirement=line,
                sentence="Set the tag if it applies to the version.",
                command=f"registry.set_tag({_quoted(model)}, {_quoted(key)}, {given}, {number})",
            )
        case RequiredDescription():
            return NextStep(
                requirement=line,
                sentence="Describe what is new in the version.",
                command=f"registry.set_description({_quoted(model)}, ..., {number})",
            )
        case ArtifactDigest():
            return NextStep(
                requirement=line,
                sentence="Upload its files while it is in Development, or register a version with "
                "the digest.",
                command=f"obeya upload PATH --model {shlex.quote(model)} --version {number}",
            )
        case MaximumSize():
            return NextStep(
                requirement=line,
                sentence="Upload its files while it is in Development, and only the files that are "
                "needed to load the model.",
                command=f"obeya upload PATH --model {shlex.quote(model)} --version {number}",
            )
        case NoPickle() | NoCode() if failure.outcome is Outcome.MISSING:
            return NextStep(
                requirement=line,
                sentence="Upload its files while it is in Development. Stored files are inspected "
                "automatically.",
                command=f"obeya upload PATH --model {shlex.quote(model)} --version {number}",
            )
        case NoPickle() | NoCode():
            return NextStep(
                requirement=line,
                sentence="Save the model in a format that runs no code when it is loaded, such as "
                "safetensors or ONNX, and register it as a new version.",
            )
        case ChampionRequirement() if failure.outcome is Outcome.NOT_COMPARABLE:
            return NextStep(
                requirement=line,
                sentence="Measure the metric on the dataset of the champion, and log it again with "
                "the number of samples or the standard error.",
            )
    return NextStep(requirement=line, sentence="Register a version that meets the requirement.")


def _hours(hours: float) -> timedelta:
    return timedelta(hours=hours)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
