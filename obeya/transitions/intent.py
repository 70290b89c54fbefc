"""Intended transitions of versions."""

from __future__ import annotations

from dataclasses import dataclass

from obeya.stages import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionIntent:
    """An intended transition, as every entry point passes it to the write path.

    `to_stage` None means the next stage, for requests only. `archive_existing` archives the other
    versions in the stage in the same operation. `expected_stage` and `expected_revision` are the
    state that the caller saw; None is not compared. Nothing is checked before the write.
    """

    to_stage: Stage | None = None
    reason: str = ""
    archive_existing: bool = False
    expected_stage: Stage | None = None
    expected_revision: int | None = None
