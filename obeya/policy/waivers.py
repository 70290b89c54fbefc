"""Waivers: temporary exceptions to named requirements of one version, with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from obeya.errors import InvalidInput
from obeya.policy.requirements import Requirement
from obeya.stages import Stage, is_promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Waived requirements for the promotion of one version to `stage`.

    `requirements` are lines in the form of `Requirement.describe`: if the policy is edited, the new
    requirement has a different line and is not waived. Times are UTC; `revoked_at` is None if the
    waiver was not revoked.
    """

    id: str
    model: str
    version: int
    stage: Stage
    requirements: tuple[str, ...]
    reason: str
    granted_by: str
    granted_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_active(self, at: datetime) -> bool:
        """Return whether the waiver is active at this time."""
        return self.revoked_at is None and self.granted_at <= at < self.expires_at

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form in events and stored checks.

        The user who granted the waiver and the reason are stored beside it.
        """
        return {
            "waiver": self.id,
            "requirements": list(self.requirements),
            "expires_at": self.expires_at.astimezone(UTC).isoformat(),
        }


def waivable(
    requirements: Sequence[Requirement] | None,
    from_stage: Stage,
    stage: Stage,
    lines: Sequence[str],
) -> tuple[str, ...]:
    """Check that each line is one of the `requirements` of `stage` and return the lines once each.

    `requirements` None means no policy.

    Raises:
        InvalidInput: no line is given, no policy applies to the stage or to a move from
            `from_stage` to it, or the policy has no such line.
    """
    if stage.is_gated and not is_promotion(from_stage, stage):
        raise InvalidInput(
            f"No policy applies to a move from {from_stage.label} to {stage.label}, so there is "
            "nothing to waive.",
            field="to_stage",
        )
    if requirements is None:
        raise InvalidInput(
            f"There is no promotion policy for {stage.label}, so there is nothing to waive.",
            field="requirements",
        )
    wanted = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not wanted:
        raise InvalidInput("Choose at least one requirement to waive.", field="requirements")
    present = [requirement.describe() for requirement in requirements]
    for line in wanted:
        if line not in present:
            raise InvalidInput(
                f"The policy for {stage.label} has no requirement “{line[:128]}”. "
                f"Its requirements: {'; '.join(present) or 'none'}.",
                field="requirements",
            )
    return wanted


def expiry(expires_at: datetime, now: datetime) -> datetime:
    """Return `expires_at` if it is a valid expiry for a waiver granted now.

    Raises:
        InvalidInput: it has no time zone or is not after now.
    """
    if expires_at.tzinfo is None:
        raise InvalidInput("The expiry needs a time zone.", field="expires_at")
    if expires_at <= now:
        raise InvalidInput("The expiry must be in the future.", field="expires_at")
    return expires_at
