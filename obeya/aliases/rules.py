"""What a governed alias can point to, and what a move does to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from obeya.aliases.governed import AliasMode, GovernedAlias
from obeya.refusals import AliasRefused
from obeya.stages import Stage, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasFacts:
    """A governed alias of a model and the version that it points to, or is about to.

    `alias` is the name as it is spelled. `last_entered` is the version that entered the stage of
    the governed alias last, of those still there; None if there is none.
    """

    governed: GovernedAlias
    alias: str
    model: str
    version: int
    stage: Stage
    last_entered: int | None

    @property
    def _follows(self) -> bool:
        return self.governed.mode is AliasMode.FOLLOWS

    @property
    def violation(self) -> str:
        """Why the alias must not point to the version; empty if it can."""
        bound = self.governed.bound_stage.label
        if self.stage is not self.governed.bound_stage:
            return (
                f"“{self.alias}” points to v{self.version}, which is in {self.stage.label}, "
                f"not in {bound}."
            )
        if self._follows and self.version != self.last_entered:
            return (
                f"“{self.alias}” points to v{self.version}, but v{self.last_entered} entered "
                f"{bound} last."
            )
        return ""

    @property
    def remedy(self) -> str:
        """How to correct a violation."""
        if not self._follows:
            return f"Set it to a version in {self.governed.bound_stage.label}, or delete it."
        if self.last_entered is None:
            return (
                f"Move v{self.version} to {self.governed.bound_stage.label}, or delete the alias."
            )
        return f"Set it to v{self.last_entered}."

    def refused(self, sentence: str) -> AliasRefused:
        """Return the error with this sentence."""
        return AliasRefused(sentence, alias=self.governed.alias, stage=self.governed.bound_stage)


def check_set(facts: AliasFacts, workflow: Workflow) -> None:
    """Check that a governed alias can be set to a version. Setting it again is not checked.

    Raises:
        AliasRefused: the version is outside the stage of the alias, or the alias follows the stage
            and another version entered it last; or the name only looks like the governed one.
    """
    governed, bound = facts.governed, facts.governed.bound_stage
    if facts.violation:
        what = (
            f"follows {bound.label}: only a transition sets it"
            if governed.mode is AliasMode.FOLLOWS
            else f"is bound to {bound.label}: it can only point to a version there"
        )
        raise facts.refused(
            f"The alias “{facts.alias}” of {facts.model} {what}. {_transition(facts, workflow)}"
        )
    if facts.alias != governed.alias:
        raise facts.refused(
            f"“{facts.alias}” counts as the governed alias “{governed.alias}”. "
            f"Use “{governed.alias}”."
        )


def check_delete(facts: AliasFacts) -> None:
    """Check that a governed alias can be deleted: only one that breaks the rule can.

    Raises:
        AliasRefused: it points to where it belongs.
    """
    if facts.violation:
        return
    bound = facts.governed.bound_stage.label
    how = (
        f"It is removed when no version is in {bound}"
        if facts.governed.mode is AliasMode.FOLLOWS
        else f"Set it to another version in {bound}"
    )
    raise facts.refused(
        f"The alias “{facts.alias}” of {facts.model} is bound to {bound} and cannot be deleted. "
        f"{how}, or let an administrator stop governing it."
    )


def aliases_after_move(
    governed: GovernedAlias,
    aliases: Mapping[str, int],
    *,
    last_entered: int | None,
    departed: Collection[int],
) -> dict[str, int | None]:
    """Return the aliases that a move into or out of a governed alias's stage changes.

    `aliases` are those of the model with their versions, `departed` the versions that left the
    stage, `last_entered` is as in `AliasFacts`, after the move. None means that the alias is
    removed.
    """
    spelled = {alias for alias in aliases if governed.covers(alias)}
    if governed.mode is AliasMode.GUARDED:
        return {alias: None for alias in sorted(spelled) if aliases[alias] in departed}
    if last_entered is None:
        return dict.fromkeys(sorted(spelled))
    return {
        alias: last_entered
        for alias in sorted({*spelled, governed.alias})
        if aliases.get(alias) != last_entered
    }


def _transition(facts: AliasFacts, workflow: Workflow) -> str:
    """Return the transition to make so that the alias can point to the version."""
    bound, number = facts.governed.bound_stage, f"v{facts.version}"
    if facts.stage is bound:
        instead = (
            f"roll back to {number}"
            if bound is Stage.PRODUCTION
            else f"move the versions that entered later than {number} to another stage"
        )
        return f"It points to v{facts.last_entered}, which entered last. To change that, {instead}."
    path = _path(workflow, facts.stage, bound)
    if path:
        steps = ", then to ".join(stage.label for stage in path)
        return f"Move {number} from {facts.stage.label} to {steps}."
    if bound is Stage.PRODUCTION:
        return (
            f"The workflow does not allow {number} to move from {facts.stage.label} to "
            f"{bound.label}. If it was there before, roll back to it."
        )
    return (
        f"The workflow does not allow {number} to move from {facts.stage.label} to {bound.label}. "
        "Register a new version."
    )


def _path(workflow: Workflow, start: Stage, end: Stage) -> tuple[Stage, ...]:
    """Return the stages of the shortest way that the workflow allows; empty if there is none."""
    waiting: deque[tuple[Stage, ...]] = deque([(start,)])
    seen = {start}
    while waiting:
        path = waiting.popleft()
        if path[-1] is end:
            return path[1:]
        for stage in workflow.allowed_from(path[-1]):
            if stage not in seen:
                seen.add(stage)
                waiting.append((*path, stage))
    return ()
