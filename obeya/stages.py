"""The stages of a model version, and the workflows that define the allowed moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from obeya.errors import InvalidInput, Refusal, RefusalKind


class Stage(StrEnum):
    """The stage of a model version. The members are in the order of the board's columns."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"

    @property
    def label(self) -> str:
        """The display name: ``Development``."""
        return self.value.capitalize()

    @property
    def position(self) -> int:
        """Position in the life cycle of a version, from 0 (Development) to 3 (Archived)."""
        return list(Stage).index(self)

    @property
    def next(self) -> Stage | None:
        """The stage that a version here is promoted to; None for Production and Archived."""
        return {
            Stage.DEVELOPMENT: Stage.STAGING,
            Stage.STAGING: Stage.PRODUCTION,
        }.get(self)

    @property
    def is_gated(self) -> bool:
        """Whether this stage can have a promotion policy."""
        return self in (Stage.STAGING, Stage.PRODUCTION)

    @classmethod
    def parse(cls, text: str | Stage) -> Stage:
        """Parse a stage name in upper or lower case.

        Raises:
            InvalidInput: no stage has that name; the sentence lists the stages.
        """
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            names = ", ".join(stage.label for stage in cls)
            raise InvalidInput(
                f"“{str(text)[:64]}” is not a stage. The stages are {names}.", field="stage"
            ) from None


def is_promotion(from_stage: Stage, to_stage: Stage) -> bool:
    """Return whether the policy of `to_stage` applies to this move.

    Policies apply to moves to Staging and Production from an earlier stage or from Archived, never
    to a demotion (Production to Staging) or to archiving.
    """
    if not to_stage.is_gated or from_stage is to_stage:
        return False
    return from_stage is Stage.ARCHIVED or from_stage.position < to_stage.position


@dataclass(frozen=True, slots=True)
class Workflow:
    """The allowed moves. `moves` maps each stage to the stages reachable from it."""

    name: str
    title: str
    moves: Mapping[Stage, tuple[Stage, ...]]

    def allowed_from(self, from_stage: Stage) -> tuple[Stage, ...]:
        """Return the stages a version can move to from `from_stage`, in the order of the board."""
        return self.moves[from_stage]

    def check(self, from_stage: Stage, to_stage: Stage) -> Refusal | None:
        """Return None if the move is allowed, else the reason why it is not.

        A move to the current stage of a version is refused with the code ``already_there``.
        """
        if from_stage is to_stage:
            return Refusal(
                RefusalKind.WORKFLOW,
                "already_there",
                f"The version is already in {to_stage.label}.",
            )
        if to_stage in self.moves[from_stage]:
            return None
        return Refusal(
            RefusalKind.WORKFLOW,
            "illegal_move",
            f"{self._why(from_stage, to_stage)} {self._alternatives(from_stage)}",
        )

    def _why(self, from_stage: Stage, to_stage: Stage) -> str:
        move = f"{from_stage.label} to {to_stage.label}"
        allowed = self.moves[from_stage]
        if from_stage is Stage.ARCHIVED:
            if not allowed:
                return f"{move} is not allowed: archived versions cannot be restored."
            first = " or ".join(stage.label for stage in allowed)
            return f"{move} is not allowed: an archived version must be restored to {first} first."
        # If the workflow allows moves backwards, the direction is not what is wrong with the move.
        may_go_back = any(stage.position < from_stage.position for stage in allowed)
        if to_stage.position < from_stage.position and not may_go_back:
            return f"{move} is not allowed: it moves backwards."
        low, high = sorted((from_stage.position, to_stage.position))
        skipped = [stage.label for stage in Stage if low < stage.position < high]
        why = f": it skips {', '.join(skipped)}" if skipped else ""
        return f"{move} is not allowed{why}."

    def _alternatives(self, from_stage: Stage) -> str:
        allowed = self.moves[from_stage]
        if not allowed:
            return f"No move from {from_stage.label} is allowed. Register a new version instead."
        return f"Allowed from {from_stage.label}: {', '.join(s.label for s in allowed)}."


def _workflow(name: str, title: str, moves: dict[Stage, set[Stage]]) -> Workflow:
    ordered = {stage: tuple(s for s in Stage if s in moves[stage]) for stage in Stage}
    return Workflow(name, title, MappingProxyType(ordered))


_DEV, _STAGING, _PROD, _ARCHIVED = Stage

STRICT = _workflow(
    "strict",
    "Strict: forward one stage at a time; archive from any stage",
    {
        _DEV: {_STAGING, _ARCHIVED},
        _STAGING: {_PROD, _ARCHIVED},
        _PROD: {_ARCHIVED},
        _ARCHIVED: set(),
    },
)
RETURNS = _workflow(
    "returns",
    "Returns: like strict, and versions can be sent back or restored",
    {
        _DEV: {_STAGING, _ARCHIVED},
        _STAGING: {_DEV, _PROD, _ARCHIVED},
        _PROD: {_STAGING, _ARCHIVED},
        _ARCHIVED: {_DEV},
    },
)
OPEN = _workflow(
    "open",
    "Open: any move, as in MLflow; policies still apply",
    {stage: set(Stage) - {stage} for stage in Stage},
)

WORKFLOWS: Mapping[str, Workflow] = MappingProxyType({w.name: w for w in (STRICT, RETURNS, OPEN)})


def workflow_named(name: str) -> Workflow:
    """Return the workflow with this name.

    Raises:
        InvalidInput: there is no such workflow; the sentence lists the workflows.
    """
    try:
        return WORKFLOWS[name]
    except KeyError:
        raise InvalidInput(
            f"“{str(name)[:64]}” is not a workflow. The workflows are {', '.join(WORKFLOWS)}.",
            field="workflow",
        ) from None
