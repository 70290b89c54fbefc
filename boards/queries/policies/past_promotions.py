"""Past promotions, judged by a draft policy on their frozen evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from boards import models
from boards.queries.facts.policies_in_force import in_scope
from obeya.metrics import Metric
from obeya.policy.artifact_rules import ArtifactDigest, MaximumSize, NoCode, NoPickle
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Evidence
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.records import Action
from obeya.stages import Stage, is_promotion

CHUNK = 2_000
Judge = Callable[[Evidence, Evidence | None], bool]

# What a check freezes besides metrics, by the kinds of requirement that use it.
_FROZEN_PARTS = {
    RequiredTag: "tags",
    RequiredDescription: "description",
    ArtifactDigest: "artifact_digest",
    NoPickle: "artifact_uri",
    NoCode: "artifact_uri",
    MaximumSize: "artifact_size",
    TimeInStage: "hours_in_stage",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One past promotion and the draft's result for it."""

    model: str
    number: int
    made_at: datetime
    check_uid: str
    passes: bool


def judged_promotions(
    policy: PromotionPolicy, judge: Judge, stage: Stage, model: models.RegisteredModel | None
) -> Iterator[tuple[datetime, int, bool]]:
    """Yield the time of each past promotion, the id of its check, and whether it passes the draft.

    They are judged on the frozen evidence. Promotions with too little frozen evidence are left out,
    and so are rollbacks, which are not promotions: no policy stops them.
    """
    parts = {part for kind, part in _FROZEN_PARTS.items() if policy.has_any(kind)}
    if policy.required_approvals:
        parts.add("approvals")
    requires_files = policy.has_any(NoPickle, NoCode)
    rows = models.PolicyCheck.objects.filter(
        in_scope("version__model", stage, model), to_stage=stage.value, allowed=True
    )
    for moment, pk, frozen in rows.values_list("made_at", "pk", "evidence").iterator(CHUNK):
        if frozen.get("is_rollback") or "version" not in frozen or not parts <= frozen.keys():
            continue
        # Files that an older version of Obeya inspected: less is known about them.
        if requires_files and frozen.get("artifact_size") and not frozen.get("artifact_inspected"):
            continue
        asked = policy.metric_names
        champion = _frozen({}, frozen["champion"], asked) if frozen.get("champion") else None
        is_approved = _approvals(frozen, policy) >= policy.required_approvals
        evidence = _frozen(frozen, frozen["version"], asked)
        yield moment, pk, is_approved and judge(evidence, champion)


def _approvals(check: Mapping[str, Any], policy: PromotionPolicy) -> int:
    """Count the frozen approvals that the draft counts.

    Old ones do not say whether they are by a service account; they count.
    """
    return sum(
        policy.count_service_approvals or not approval.get("is_service", False)
        for approval in check.get("approvals", ())
    )


def _frozen(check: Mapping[str, Any], side: Mapping[str, Any], asked: frozenset[str]) -> Evidence:
    hours = check.get("hours_in_stage")
    measured = side["metrics"]
    return Evidence(
        version=side["number"],
        metrics={
            name: Metric.stored(
                name,
                float(stated["value"]),
                stated.get("samples"),
                stated.get("standard_error"),
                stated.get("dataset", ""),
            )
            for name in asked
            if (stated := measured.get(name)) is not None
        },
        tags=check.get("tags", {}),
        description=check.get("description", ""),
        artifact_path=check.get("artifact_uri", ""),
        artifact_digest=check.get("artifact_digest", ""),
        time_in_stage=None if hours is None else timedelta(hours=hours),
        artifact_size=check.get("artifact_size"),
        artifact_warnings=tuple(check.get("artifact_warnings", ())),
        artifact_code=tuple(check.get("artifact_code", ())),
        artifact_inspected=check.get("artifact_inspected", False),
    )


def promotions_of(judged: Iterable[tuple[datetime, int, bool]]) -> tuple[Promotion, ...]:
    """Return the promotions of some checks, the newest first; one statement."""
    passes = {pk: passed for _, pk, passed in judged}
    rows = models.PolicyCheck.objects.filter(pk__in=passes).order_by("-made_at", "-pk")
    read = ("pk", "version__model__name", "version__number", "made_at", "uid")
    return tuple(
        Promotion(model=name, number=number, made_at=made_at, check_uid=str(uid), passes=passes[pk])
        for pk, name, number, made_at, uid in rows.values_list(*read)
    )


def promotions_made(stage: Stage, model: models.RegisteredModel | None) -> int:
    """Count the promotions in the log; one statement."""
    before = [other.value for other in Stage if is_promotion(other, stage)]
    return models.AuditEvent.objects.filter(
        in_scope("version__model", stage, model),
        action=Action.STAGE_TRANSITIONED.value,
        to_stage=stage.value,
        from_stage__in=before,
    ).count()
