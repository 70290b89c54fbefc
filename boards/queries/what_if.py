"""What a draft policy would do: to the versions that are there, and to past promotions.

Everything is judged by the core; the database only hands out what the draft asks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from boards import models
from boards.queries.records import definitions
from obeya.metrics import Metric
from obeya.policies import (
    ArtifactDigest,
    Evidence,
    NoPickle,
    PromotionPolicy,
    RequiredDescription,
    RequiredTag,
)
from obeya.requirements import Definitions
from obeya.stages import Stage

NAMED_MAX = 50
FEW_PROMOTIONS = 10
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Promotion:
    """One past promotion as the draft would have judged it."""

    model: str
    number: int
    made_at: datetime
    check_uid: str
    passes: bool


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a draft would do.

    `passing` and `failing` name the first versions of either kind as (model, number); `refused`
    the newest past promotions that it would have refused, and `promotions` all of them where
    there are fewer than ten.
    """

    versions: int
    would_pass: int
    passing: tuple[tuple[str, int], ...]
    failing: tuple[tuple[str, int], ...]
    promoted: int
    would_refuse: int
    refused: tuple[Promotion, ...]
    promotions: tuple[Promotion, ...]

    @property
    def has_few_promotions(self) -> bool:
        """Whether there are too few past promotions for a count to say anything."""
        return self.promoted < FEW_PROMOTIONS


def what_if(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None, at: datetime
) -> WhatIf:
    """Run a draft for `stage` against every version it would hold for and every past promotion.

    That of the site holds for the models that have no policy of their own for the stage.
    """
    defined = definitions()
    passing: list[tuple[str, int]] = []
    failing: list[tuple[str, int]] = []
    versions = would_pass = 0
    for name, evidence, champion in _versions(policy, stage, model, at):
        versions += 1
        passes = policy.passes(evidence, champion, defined)
        would_pass += passes
        named = passing if passes else failing
        if len(named) < NAMED_MAX:
            named.append((name, evidence.version))
    promoted = would_refuse = 0
    refused: list[Promotion] = []
    promotions: list[Promotion] = []
    for promotion in _promotions(policy, stage, model, defined):
        promoted += 1
        would_refuse += not promotion.passes
        if not promotion.passes and len(refused) < NAMED_MAX:
            refused.append(promotion)
        if promoted < FEW_PROMOTIONS:
            promotions.append(promotion)
    return WhatIf(
        versions,
        would_pass,
        tuple(passing),
        tuple(failing),
        promoted,
        would_refuse,
        tuple(refused),
        tuple(promotions),
    )


def unmeasured(policy: PromotionPolicy) -> tuple[str, ...]:
    """The metrics that the policy asks for and no version has; one statement."""
    asked = {r.metric for r in policy.evidence_requirements if r.metric}
    there = models.Metric.objects.filter(name__in=asked).values_list("name", flat=True).distinct()
    return tuple(sorted(asked - set(there)))


def _versions(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None, at: datetime
) -> Iterator[tuple[str, Evidence, Evidence | None]]:
    rows = models.ModelVersion.objects.filter(deleted_at=None)
    if model is None:
        rows = rows.filter(model__deleted_at=None).exclude(model__in=_with_own(stage))
    else:
        rows = rows.filter(model=model)
    asked = {type(requirement) for requirement in policy.requirements}
    metrics = _metrics(policy, rows)
    tags = _tags(policy, rows)
    texts = (
        "description" if RequiredDescription in asked else None,
        "artifact_uri" if {NoPickle, ArtifactDigest} & asked else None,
        "artifact_digest" if ArtifactDigest in asked else None,
    )
    columns = ["pk", "number", "stage_entered_at", "model__name", "model__champion"]
    columns += ["model__champion__number", *(column for column in texts if column)]
    champions: dict[int, Evidence] = {}
    nothing: Mapping[str, Any] = {}
    for row in rows.values_list(*columns).iterator(chunk_size=CHUNK):
        pk, number, entered_at, name, champion_pk, champion_number, *rest = row
        given = iter(rest)
        description, uri, digest = (next(given) if column else "" for column in texts)
        evidence = Evidence(
            number,
            metrics.get(pk, nothing),
            tags.get(pk, nothing),
            description,
            uri,
            digest,
            at - entered_at,
        )
        champion = None
        if champion_pk is not None and champion_pk != pk:
            champion = champions.get(champion_pk)
            if champion is None:
                champion = Evidence(champion_number, metrics.get(champion_pk, nothing))
                champions[champion_pk] = champion
        yield name, evidence, champion


def _metrics(
    policy: PromotionPolicy, rows: QuerySet[models.ModelVersion]
) -> dict[int, dict[str, Metric]]:
    asked = {r.metric for r in policy.evidence_requirements if r.metric}
    found: dict[int, dict[str, Metric]] = defaultdict(dict)
    stored = models.Metric.objects.filter(name__in=asked, version__in=rows.values("pk"))
    for pk, name, value, samples, error, dataset in stored.values_list(
        "version_id", "name", "value", "samples", "standard_error", "dataset"
    ).iterator(chunk_size=CHUNK):
        found[pk][name] = Metric.stored(name, value, samples, error, dataset)
    return found


def _tags(
    policy: PromotionPolicy, rows: QuerySet[models.ModelVersion]
) -> dict[int, dict[str, str]]:
    keys = {r.key for r in policy.requirements if isinstance(r, RequiredTag)}
    found: dict[int, dict[str, str]] = defaultdict(dict)
    if keys:
        stored = models.VersionTag.objects.filter(key__in=keys, version__in=rows.values("pk"))
        for pk, key, value in stored.values_list("version_id", "key", "value"):
            found[pk][key] = value
    return found


def _with_own(stage: Stage) -> QuerySet[models.RegisteredModel]:
    own = models.PolicyRevision.objects.filter(
        model=OuterRef("pk"), stage=stage.value, superseded_at=None
    )
    return models.RegisteredModel.objects.filter(Exists(own))


def _promotions(
    policy: PromotionPolicy,
    stage: Stage,
    model: models.RegisteredModel | None,
    defined: Definitions,
) -> Iterator[Promotion]:
    """The past promotions, the newest first, judged on the evidence that was frozen then."""
    rows = models.PolicyCheck.objects.filter(
        to_stage=stage.value, allowed=True, version__deleted_at=None
    )
    if model is None:
        rows = rows.filter(version__model__deleted_at=None).exclude(
            version__model__in=_with_own(stage)
        )
    else:
        rows = rows.filter(version__model=model)
    columns = ("uid", "made_at", "version__number", "version__model__name", "evidence")
    for uid, made_at, number, name, frozen in (
        rows.order_by("-made_at", "-pk").values_list(*columns).iterator(chunk_size=CHUNK)
    ):
        # A rollback is no promotion: no policy stops it.
        if frozen.get("is_rollback"):
            continue
        evidence = _frozen(frozen, frozen["version"])
        champion = _frozen({}, frozen["champion"]) if frozen.get("champion") else None
        yield Promotion(name, number, made_at, str(uid), policy.passes(evidence, champion, defined))


def _frozen(check: Mapping[str, Any], side: Mapping[str, Any]) -> Evidence:
    hours = check.get("hours_in_stage")
    return Evidence(
        side["number"],
        {
            name: Metric.stored(
                name,
                float(stated["value"]),
                stated.get("samples"),
                stated.get("standard_error"),
                stated.get("dataset", ""),
            )
            for name, stated in side["metrics"].items()
        },
        check.get("tags", {}),
        check.get("description", ""),
        check.get("artifact_uri", ""),
        check.get("artifact_digest", ""),
        None if hours is None else timedelta(hours=hours),
    )
