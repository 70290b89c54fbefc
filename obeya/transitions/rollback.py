"""Rollback: which version returns to Production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from obeya.errors import InvalidInput
from obeya.stages import Stage


@dataclass(frozen=True, slots=True)
class Departure:
    """A version left Production; `by_rollback` if because of a rollback."""

    version: int
    by_rollback: bool


def rollback_target(
    name: str,
    stages: Mapping[int, Stage],
    departures: Iterable[Departure],
    wanted: int | None = None,
) -> int:
    """Return the number of the version that a rollback of `name` restores to Production.

    `stages` are the stages of the existing versions, without deleted ones; `departures` are all
    departures from Production, the last first. Without `wanted` it is the version that left last,
    ignoring versions that are in Production again, whose last departure was by a rollback, or that
    are deleted.

    Raises:
        InvalidInput: `wanted` is in Production or never was, or no version qualifies.
    """
    last: dict[int, Departure] = {}
    for departure in departures:
        last.setdefault(departure.version, departure)
    if wanted is not None:
        if stages.get(wanted) is Stage.PRODUCTION:
            raise InvalidInput(f"{name} v{wanted} is already in Production.", field="to_version")
        if wanted not in last:
            raise InvalidInput(
                f"{name} v{wanted} was never in Production. Promote it instead.",
                field="to_version",
            )
        return wanted
    for number, departure in last.items():
        present = stages.get(number)
        if present is not None and present is not Stage.PRODUCTION and not departure.by_rollback:
            return number
    raise InvalidInput(
        f"{name} has no earlier good version in Production. Choose the version to restore.",
        field="to_version",
    )
