"""Rollback: which version goes back to Production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from obeya.errors import InvalidInput
from obeya.stages import Stage


@dataclass(frozen=True, slots=True)
class Departure:
    """That a version left Production; `by_rollback` when a rollback took it out."""

    version: int
    by_rollback: bool


def rollback_target(
    name: str,
    stages: Mapping[int, Stage],
    departures: Iterable[Departure],
    wanted: int | None = None,
) -> int:
    """The number of the version that a rollback of `name` puts back into Production.

    `stages` are the stages of the versions that are there, deleted ones not among them;
    `departures` every leaving of Production, the last first. Without `wanted` it is the version
    that left last, versions left out that are in Production again, whose last leaving was by a
    rollback, or that are deleted.

    Raises:
        InvalidInput: `wanted` is in Production or never was, or none qualifies.
    """
    last: dict[int, Departure] = {}
    for departure in departures:
        last.setdefault(departure.version, departure)
    if wanted is not None:
        if stages.get(wanted) is Stage.PRODUCTION:
            raise InvalidInput(f"{name} v{wanted} is in Production already.", field="to_version")
        if wanted not in last:
            raise InvalidInput(
                f"{name} v{wanted} never was in Production; promote it instead.",
                field="to_version",
            )
        return wanted
    for number, departure in last.items():
        present = stages.get(number)
        if present is not None and present is not Stage.PRODUCTION and not departure.by_rollback:
            return number
    raise InvalidInput(
        f"No earlier version of {name} is known to be good in Production; "
        "name the version to go back to.",
        field="to_version",
    )
