"""What someone wants a version to do."""

from __future__ import annotations

from dataclasses import dataclass

from obeya.stages import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionIntent:
    """A wanted transition, as every entry point hands it to the write path.

    `to_stage` None means the next stage, for requests only. `archive_existing` archives the other
    versions in the stage in the same operation. `expected_stage` and `expected_revision` are what
    the caller looked at; None is not compared. Nothing is checked before the write.
    """

    to_stage: Stage | None = None
    reason: str = ""
    archive_existing: bool = False
    expected_stage: Stage | None = None
    expected_revision: int | None = None
