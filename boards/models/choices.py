"""The core's enums as choices of columns."""

from __future__ import annotations

from enum import StrEnum

from obeya.stages import Stage

STAGES = [(stage.value, stage.label) for stage in Stage]


def choices(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """Return each member's value with a readable form of it."""
    return [(member.value, words(member.value)) for member in enum]


def words(value: str) -> str:
    """Return the readable form of a value."""
    return value.replace("_", " ")
