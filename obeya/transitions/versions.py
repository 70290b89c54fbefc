"""Rules for one version: its number, its expected state, its next stage."""

from __future__ import annotations

from collections.abc import Collection

from obeya.errors import AlreadyExists, InvalidInput
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.values import NUMBER_MAX


def next_number(last: int, wanted: int | None, *, name: str, taken: Collection[int]) -> int:
    """Return the number of a new version: the next number, or `wanted` if it is above all others.

    Raises:
        AlreadyExists: `wanted` is or was in use, or is below a number that was used.
        InvalidInput: the largest possible number was used.
    """
    if wanted is None:
        if last >= NUMBER_MAX:
            raise InvalidInput(
                f"{name} has no version numbers left: its last version is v{last}.", field="version"
            )
        return last + 1
    if wanted > last:
        return wanted
    if wanted in taken:
        raise AlreadyExists(f"{name} v{wanted} already exists.", field="version")
    raise AlreadyExists(
        f"{name} v{wanted} cannot be registered: numbers only grow, and the next is {last + 1}.",
        field="version",
    )


def next_stage(stage: Stage) -> Stage:
    """Return the stage that a version is promoted to from `stage`.

    Raises:
        InvalidInput: there is none after Production and Archived.
    """
    following = stage.next
    if following is None:
        raise InvalidInput(
            f"There is no next stage after {stage.label}. Choose a stage.",
            field="to_stage",
        )
    return following


def check_expected(
    name: str,
    *,
    stage: Stage,
    revision: int,
    expected_stage: Stage | None,
    expected_revision: int | None,
) -> None:
    """Compare the state that a caller saw (None: not stated) with the current state.

    `name` is the version in error sentences.

    Raises:
        Conflict: the version is in another stage or at another revision.
        InvalidInput: `expected_stage` is not a stage.
    """
    seen = None if expected_stage is None else Stage.parse(expected_stage)
    if seen is not None and stage is not seen:
        raise Conflict(
            f"{name} is in {stage.label}, not in {seen.label}.", stage=stage, revision=revision
        )
    if expected_revision is not None and revision != expected_revision:
        raise Conflict(
            f"{name} was changed in the meantime: it is at revision {revision}, "
            f"not {expected_revision}.",
            stage=stage,
            revision=revision,
        )
