"""The number of active waivers of each requirement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef

from boards import models
from boards.queries.facts.policies_in_force import has_own_policy
from obeya.policy.bounds import number_text
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage


@dataclass(frozen=True, slots=True)
class WaivedLine:
    """A requirement and the number of active waivers for it.

    `is_asked`: the policy in force still has the requirement; other waivers have no effect.
    """

    line: str
    waivers: int
    is_asked: bool = True

    @classmethod
    def of(
        cls, policy: PromotionPolicy | None, waived: Mapping[str, int]
    ) -> tuple[WaivedLine, ...]:
        """Return each requirement of a policy in its order, then waived lines that it lacks."""
        asked = {r.describe(): r.describe() for r in policy.requirements} if policy else {}
        if policy and policy.min_test_coverage is not None:
            floor = policy.evidence_requirements[-1].describe()
            asked[floor] = f"test coverage ≥ {number_text(policy.min_test_coverage)}"
        return (
            *(cls(shown, waived.get(line, 0)) for line, shown in asked.items()),
            *(cls(line, waived[line], is_asked=False) for line in sorted(waived.keys() - asked)),
        )


def waived_lines(at: datetime, *stages: Stage) -> dict[int | None, Counter[str]]:
    """Count the waivers of each requirement that are active at a time; one statement.

    By the id of the model if it has a model policy for the waiver's stage, else by None, because
    then the default policy is waived.
    """
    rows = models.Waiver.objects.filter(
        stage__in=[stage.value for stage in stages],
        revoked_at=None,
        granted_at__lte=at,
        expires_at__gt=at,
        version__deleted_at=None,
        version__model__deleted_at=None,
    )
    found: dict[int | None, Counter[str]] = defaultdict(Counter)
    has_own = has_own_policy("version__model", OuterRef("stage"))
    for model, is_own, lines in rows.annotate(has_own=has_own).values_list(
        "version__model", "has_own", "requirements"
    ):
        found[model if is_own else None].update(lines)
    return dict(found)
