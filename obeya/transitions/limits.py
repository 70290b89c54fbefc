"""WIP limits: how many versions a stage can have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from obeya.errors import InvalidInput, Refusal, RefusalKind
from obeya.stages import Stage

WIP_LIMIT_MAX = 1_000_000
OCCUPANTS_NAMED = 5


class LimitMode(StrEnum):
    """The effect of a full stage on one more version."""

    BLOCK = "block"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class WipLimit:
    """At most `limit` versions in `stage`, of one model or of all models together.

    It applies to moves into the stage from any interface, except rollbacks; a registration is not a
    move.

    Raises:
        InvalidInput: the stage is Archived, or the limit is not an integer from 1.
    """

    stage: Stage
    limit: int
    mode: LimitMode = LimitMode.BLOCK

    def __post_init__(self) -> None:
        object.__setattr__(self, "stage", limited_stage(self.stage))
        if type(self.limit) is not int or not 1 <= self.limit <= WIP_LIMIT_MAX:
            raise InvalidInput(
                f"A WIP limit must be a whole number from 1 to {WIP_LIMIT_MAX:,}.", field="limit"
            )
        try:
            object.__setattr__(self, "mode", LimitMode(self.mode))
        except ValueError:
            raise InvalidInput(
                f"“{str(self.mode)[:32]}” is not a mode; the modes are block and warn.",
                field="mode",
            ) from None


def limited_stage(stage: Stage | str) -> Stage:
    """Return `stage` if it can have a WIP limit.

    Raises:
        InvalidInput: it is not a stage, or it is Archived, which must always accept versions.
    """
    parsed = Stage.parse(stage)
    if parsed is Stage.ARCHIVED:
        raise InvalidInput(
            "Archived has no WIP limit: archiving is always possible.", field="stage"
        )
    return parsed


@dataclass(frozen=True, slots=True)
class StageLoad:
    """The versions in a stage that a version is about to enter.

    `model` is None for the limit across all models. `count` is the number of versions that the
    limit counts before the move, without those that the move archives; `occupants` are the names of
    some.
    """

    limit: WipLimit
    model: str | None
    count: int
    occupants: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether one more version would exceed the limit."""
        return self.count >= self.limit.limit

    def refusal(self) -> Refusal:
        """Return the refusal because of a full stage."""
        scope = "for this model" if self.model is not None else "across all models"
        named = ", ".join(self.occupants[:OCCUPANTS_NAMED])
        more = self.count - min(len(self.occupants), OCCUPANTS_NAMED)
        if named and more:
            named = f"{named} and {more:,} more"
        filled = f" ({named})" if named else ""
        return Refusal(
            RefusalKind.WIP_LIMIT,
            "wip_limit_reached",
            f"{self.limit.stage.label} is full: it has {self.count:,} "
            f"{'version' if self.count == 1 else 'versions'}{filled}, and the WIP limit {scope} is "
            f"{self.limit.limit:,}.",
        )
