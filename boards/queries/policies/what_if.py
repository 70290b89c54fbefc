"""The impact of a draft policy: on existing versions, and on past promotions.

The core judges everything; the database only returns what the draft requires. Versions and their
metrics are read in parallel in the order of their ids, so that a hundred thousand of them are never
in memory at the same time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from boards import models
from boards.queries.facts.policies_in_force import has_own_policy
from boards.queries.facts.records import definitions
from obeya.metrics import Metric
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import NO_DEFINITIONS, Evidence
from obeya.policy.results import Mode
from obeya.policy.rules import (
    ArtifactDigest,
    MaximumSize,
    NoPickle,
    RequiredDescription,
    RequiredTag,
    TimeInStage,
)
from obeya.records import Action
from obeya.stages import Stage, is_promotion

NAMED_MAX = 50
FEW_PROMOTIONS = 10
CHUNK = 2_000
Judge = Callable[[Evidence, Evidence | None], bool]
Row = TypeVar("Row", bound=tuple[Any, ...])
Part = TypeVar("Part")
MetricRow = tuple[int, str, float, int | None, float | None, str]

# What a check freezes besides metrics, by the kinds of requirement that use it.
_FROZEN_PARTS = {
    RequiredTag: "tags",
    RequiredDescription: "description",
    ArtifactDigest: "artifact_digest",
    NoPickle: "artifact_uri",
    MaximumSize: "artifact_size",
    TimeInStage: "hours_in_stage",
}


@dataclass(frozen=True, slots=True)
class NamedVersion:
    """A version, for a link."""

    model: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One past promotion and the draft's result for it."""

    model: str
    number: int
    made_at: datetime
    check_uid: str
    passes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The impact of a draft policy.

    A version is judged by its evidence, which does not include approvals; a past promotion by its
    frozen evidence, which includes its approvals.

    `approvals_aside`: the draft requires approvals, which were ignored for the versions. `passing`
    and `failing` are the first versions of either kind; `refused` the newest past promotions that
    it would have refused, and `promotions` all of them if there are fewer than ten. For
    `without_evidence` past promotions nothing was frozen that the draft could judge; they are not
    included in `promoted`.
    """

    only_warns: bool
    approvals_aside: bool
    versions: int
    would_pass: int
    passing: tuple[NamedVersion, ...]
    failing: tuple[NamedVersion, ...]
    promoted: int
    would_refuse: int
    refused: tuple[Promotion, ...]
    promotions: tuple[Promotion, ...]
    without_evidence: int

    @property
    def would_fail(self) -> int:
        """The number of versions that would not pass."""
        return self.versions - self.would_pass

    @property
    def has_few_promotions(self) -> bool:
        """Whether there are too few past promotions for a count to be meaningful."""
        return self.promoted < FEW_PROMOTIONS

    @property
    def unnamed_passing(self) -> int:
        """The number of passing versions that are not listed."""
        return self.would_pass - len(self.passing)

    @property
    def unnamed_failing(self) -> int:
        """The number of failing versions that are not listed."""
        return self.would_fail - len(self.failing)

    @property
    def unnamed_refused(self) -> int:
        """The number of refused past promotions that are not listed."""
        return self.would_refuse - len(self.refused)


def what_if(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None, at: datetime
) -> WhatIf:
    """Judge every version that a draft for `stage` would apply to, and every past promotion.

    A default policy applies to the models that have no model policy for the stage. At most eleven
    statements.
    """
    judge = policy.judge(definitions() if policy.uses_noise else NO_DEFINITIONS)
    versions = would_pass = 0
    passing: list[int] = []
    failing: list[int] = []
    for pk, evidence, champion in _versions(policy, stage, model, at):
        versions += 1
        passes = judge(evidence, champion)
        would_pass += passes
        named = passing if passes else failing
        if len(named) < NAMED_MAX:
            named.append(pk)
    judged = list(_judged_promotions(policy, judge, stage, model))
    refused = [(moment, pk) for moment, pk, passes in judged if not passes]
    shown = nlargest(NAMED_MAX, refused)
    few = len(judged) < FEW_PROMOTIONS
    promotions = _promotions(judged if few else [(*place, False) for place in shown])
    names = _names((*passing, *failing))
    return WhatIf(
        only_warns=policy.mode is Mode.WARN,
        approvals_aside=policy.required_approvals > 0,
        versions=versions,
        would_pass=would_pass,
        passing=tuple(names[pk] for pk in passing if pk in names),
        failing=tuple(names[pk] for pk in failing if pk in names),
        promoted=len(judged),
        would_refuse=len(refused),
        refused=tuple(p for p in promotions if not p.passes),
        promotions=promotions if few else (),
        # Counted separately: a promotion that is removed meanwhile must not make it negative.
        without_evidence=max(0, _promotions_made(stage, model) - len(judged)),
    )


def _in_scope(prefix: str, stage: Stage, model: models.RegisteredModel | None) -> Q:
    """Return the condition that the draft applies to the model at `prefix`, deleted or not."""
    if model is not None:
        return Q(**{prefix: model})
    return Q(~has_own_policy(prefix, stage))


def _versions(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None, at: datetime
) -> Iterator[tuple[int, Evidence, Evidence | None]]:
    """Yield the id of each version with its evidence and that of its champion, by id."""
    champions = _champions(policy, stage, model) if policy.uses_champion else {}
    metrics = _beside(_metric_rows(policy, model), _metrics)
    tags = _beside(_tag_rows(policy, model), _tags)
    # What the draft does not require is not read.
    columns = {
        "description": policy.has_any(RequiredDescription),
        "artifact_uri": policy.has_any(ArtifactDigest, NoPickle),
        "artifact_digest": policy.has_any(ArtifactDigest),
        "artifact_size": policy.has_any(NoPickle, MaximumSize),
        "artifact_warnings": policy.has_any(NoPickle),
        "stage_entered_at": policy.has_any(TimeInStage),
    }
    read = [column for column, is_asked in columns.items() if is_asked]
    rows = models.ModelVersion.objects.filter(
        _in_scope("model", stage, model), deleted_at=None, model__deleted_at=None
    )
    found = rows.order_by("pk").values_list("pk", "model_id", "number", *read)
    for pk, model_pk, number, *rest in found.iterator(chunk_size=CHUNK):
        stated = dict(zip(read, rest, strict=True)) if read else {}
        entered_at = stated.get("stage_entered_at")
        evidence = Evidence(
            version=number,
            metrics=metrics(pk),
            tags=tags(pk),
            description=stated.get("description", ""),
            artifact_path=stated.get("artifact_uri", ""),
            artifact_digest=stated.get("artifact_digest", ""),
            time_in_stage=None if entered_at is None else at - entered_at,
            artifact_size=stated.get("artifact_size"),
            artifact_warnings=tuple(stated.get("artifact_warnings", ())),
        )
        champion_pk, champion = champions.get(model_pk, (None, None))
        yield pk, evidence, None if champion_pk == pk else champion


def _beside(rows: Iterable[Row], part_of: Callable[[Iterable[Row]], Part]) -> Callable[[int], Part]:
    """Return a function that returns what belongs to a version; call it in the order of the ids.

    `rows` start with the id of a version and are sorted by it; `part_of` converts one version's
    rows. Call the function once for each version.
    """
    groups = groupby(rows, key=itemgetter(0))
    nothing: Iterable[Row] = ()
    absent = part_of(nothing)
    place, waiting = -1, nothing

    def part(pk: int) -> Part:
        nonlocal place, waiting
        while place < pk:
            place, waiting = next(groups, (sys.maxsize, nothing))
        return part_of(waiting) if place == pk else absent

    return part


def _metrics(rows: Iterable[MetricRow]) -> dict[str, Metric]:
    return {
        name: Metric.stored(name, value, samples, error, dataset)
        for _, name, value, samples, error, dataset in rows
    }


def _metric_rows(
    policy: PromotionPolicy, model: models.RegisteredModel | None
) -> Iterable[MetricRow]:
    """Return the metrics that the draft refers to, by version, including versions out of scope."""
    if not policy.metric_names:
        return ()
    rows = models.Metric.objects.filter(name__in=policy.metric_names)
    return _metric_values(rows if model is None else rows.filter(version__model=model))


def _metric_values(rows: QuerySet[models.Metric]) -> Iterator[MetricRow]:
    read = ("version_id", "name", "value", "samples", "standard_error", "dataset")
    return rows.order_by("version_id").values_list(*read).iterator(chunk_size=CHUNK)


def _tag_rows(
    policy: PromotionPolicy, model: models.RegisteredModel | None
) -> Iterable[tuple[int, str, str]]:
    keys = {r.key for r in policy.requirements if isinstance(r, RequiredTag)}
    if not keys:
        return ()
    rows = models.VersionTag.objects.filter(key__in=keys)
    rows = rows if model is None else rows.filter(version__model=model)
    read = rows.order_by("version_id").values_list("version_id", "key", "value")
    return read.iterator(chunk_size=CHUNK)


def _tags(rows: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    return {key: value for _, key, value in rows}


def _champions(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None
) -> dict[int, tuple[int, Evidence]]:
    """Return the id and evidence of each model's champion, by the id of the model."""
    scope = {"pk": model.pk} if model is not None else {"deleted_at": None}
    crowned = models.RegisteredModel.objects.filter(champion__isnull=False, **scope)
    measured = models.Metric.objects.filter(
        name__in=policy.metric_names, version__in=crowned.values("champion")
    )
    metrics = {
        pk: _metrics(rows) for pk, rows in groupby(_metric_values(measured), key=itemgetter(0))
    }
    return {
        pk: (champion, Evidence(version=number, metrics=metrics.get(champion, {})))
        for pk, champion, number in crowned.values_list("pk", "champion", "champion__number")
    }


def _judged_promotions(
    policy: PromotionPolicy, judge: Judge, stage: Stage, model: models.RegisteredModel | None
) -> Iterator[tuple[datetime, int, bool]]:
    """Yield the time of each past promotion, the id of its check, and whether it passes the draft.

    They are judged on the frozen evidence. Promotions with too little frozen evidence are left out,
    and so are rollbacks, which are not promotions: no policy stops them.
    """
    parts = {part for kind, part in _FROZEN_PARTS.items() if policy.has_any(kind)}
    if policy.required_approvals:
        parts.add("approvals")
    rows = models.PolicyCheck.objects.filter(
        _in_scope("version__model", stage, model), to_stage=stage.value, allowed=True
    )
    for moment, pk, frozen in rows.values_list("made_at", "pk", "evidence").iterator(CHUNK):
        if frozen.get("is_rollback") or "version" not in frozen or not parts <= frozen.keys():
            continue
        asked = policy.metric_names
        champion = _frozen({}, frozen["champion"], asked) if frozen.get("champion") else None
        is_approved = len(frozen.get("approvals", ())) >= policy.required_approvals
        evidence = _frozen(frozen, frozen["version"], asked)
        yield moment, pk, is_approved and judge(evidence, champion)


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
    )


def _promotions(judged: Iterable[tuple[datetime, int, bool]]) -> tuple[Promotion, ...]:
    """Return the promotions of some checks, the newest first; one statement."""
    passes = {pk: passed for _, pk, passed in judged}
    rows = models.PolicyCheck.objects.filter(pk__in=passes).order_by("-made_at", "-pk")
    read = ("pk", "version__model__name", "version__number", "made_at", "uid")
    return tuple(
        Promotion(model=name, number=number, made_at=made_at, check_uid=str(uid), passes=passes[pk])
        for pk, name, number, made_at, uid in rows.values_list(*read)
    )


def _promotions_made(stage: Stage, model: models.RegisteredModel | None) -> int:
    """Count the promotions in the log; one statement."""
    before = [other.value for other in Stage if is_promotion(other, stage)]
    return models.AuditEvent.objects.filter(
        _in_scope("version__model", stage, model),
        action=Action.STAGE_TRANSITIONED.value,
        to_stage=stage.value,
        from_stage__in=before,
    ).count()


def _names(pks: Iterable[int]) -> dict[int, NamedVersion]:
    """Return the names of versions by their ids; one statement."""
    rows = models.ModelVersion.objects.filter(pk__in=list(pks))
    return {
        pk: NamedVersion(name, number)
        for pk, name, number in rows.values_list("pk", "model__name", "number")
    }
