"""The impact of a draft policy: on existing versions, and on past promotions.

The core judges everything; the database only returns what the draft requires. Versions and their
metrics are read in parallel in the order of their ids, so that a hundred thousand of them are never
in memory at the same time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from django.db.models import QuerySet

from boards import models
from boards.queries.facts.policies_in_force import in_scope, policy_in_force
from boards.queries.facts.records import definitions
from boards.queries.policies.past_promotions import (
    Promotion,
    judged_promotions,
    promotions_made,
    promotions_of,
)
from obeya.artifacts.inspection import INSPECTOR
from obeya.metrics import Metric
from obeya.policy.artifact_rules import ArtifactDigest, MaximumSize, NoCode, NoPickle
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import NO_DEFINITIONS, Evidence
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.stages import Stage

NAMED_MAX = 50
FEW_PROMOTIONS = 10
CHUNK = 2_000
Row = TypeVar("Row", bound=tuple[Any, ...])
Part = TypeVar("Part")
MetricRow = tuple[int, str, float, int | None, float | None, str]


@dataclass(frozen=True, slots=True)
class NamedVersion:
    """A version, for a link."""

    model: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The impact of a draft policy.

    A version is judged by its evidence, which does not include approvals; a past promotion by its
    frozen evidence, which includes its approvals.

    `would_newly_fail` versions fail the draft and pass the policy in force, if there is one;
    `newly_failing` are the first of them.

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
    would_newly_fail: int
    newly_failing: tuple[NamedVersion, ...]
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
    def unnamed_newly_failing(self) -> int:
        """The number of newly failing versions that are not listed."""
        return self.would_newly_fail - len(self.newly_failing)

    @property
    def unnamed_refused(self) -> int:
        """The number of refused past promotions that are not listed."""
        return self.would_refuse - len(self.refused)


def what_if(
    policy: PromotionPolicy, stage: Stage, model: models.RegisteredModel | None, at: datetime
) -> WhatIf:
    """Judge every version that a draft for `stage` would apply to, and every past promotion.

    A default policy applies to the models that have no model policy for the stage. At most twelve
    statements.
    """
    in_force = policy_in_force(model, stage)
    policies = (policy, in_force.policy) if in_force else (policy,)
    found = definitions() if any(each.uses_noise for each in policies) else NO_DEFINITIONS
    judge, *present = (each.judge(found) for each in policies)
    versions = would_pass = would_newly_fail = 0
    passing: list[int] = []
    failing: list[int] = []
    newly_failing: list[int] = []
    for pk, evidence, champion in _versions(policies, stage, model, at):
        versions += 1
        passes = judge(evidence, champion)
        would_pass += passes
        named = passing if passes else failing
        if len(named) < NAMED_MAX:
            named.append(pk)
        if not passes and any(passed(evidence, champion) for passed in present):
            would_newly_fail += 1
            if len(newly_failing) < NAMED_MAX:
                newly_failing.append(pk)
    judged = list(judged_promotions(policy, judge, stage, model))
    refused = [(moment, pk) for moment, pk, passes in judged if not passes]
    shown = nlargest(NAMED_MAX, refused)
    few = len(judged) < FEW_PROMOTIONS
    promotions = promotions_of(judged if few else [(*place, False) for place in shown])
    names = _names((*passing, *failing, *newly_failing))
    return WhatIf(
        only_warns=policy.mode is Mode.WARN,
        approvals_aside=policy.required_approvals > 0,
        versions=versions,
        would_pass=would_pass,
        passing=tuple(names[pk] for pk in passing if pk in names),
        failing=tuple(names[pk] for pk in failing if pk in names),
        would_newly_fail=would_newly_fail,
        newly_failing=tuple(names[pk] for pk in newly_failing if pk in names),
        promoted=len(judged),
        would_refuse=len(refused),
        refused=tuple(p for p in promotions if not p.passes),
        promotions=promotions if few else (),
        # Counted separately: a promotion that is removed meanwhile must not make it negative.
        without_evidence=max(0, promotions_made(stage, model) - len(judged)),
    )


def _versions(
    policies: Sequence[PromotionPolicy],
    stage: Stage,
    model: models.RegisteredModel | None,
    at: datetime,
) -> Iterator[tuple[int, Evidence, Evidence | None]]:
    """Yield the id of each version with its evidence and that of its champion, by id."""

    def requires(*kinds: type) -> bool:
        return any(policy.has_any(*kinds) for policy in policies)

    measured = frozenset[str]().union(*(policy.metric_names for policy in policies))
    uses_champion = any(policy.uses_champion for policy in policies)
    champions = _champions(measured, model) if uses_champion else {}
    metrics = _beside(_metric_rows(measured, model), _metrics)
    tags = _beside(_tag_rows(policies, model), _tags)
    # What the policies do not require is not read.
    columns = {
        "description": requires(RequiredDescription),
        "artifact_uri": requires(ArtifactDigest, NoPickle, NoCode),
        "artifact_digest": requires(ArtifactDigest),
        "artifact_size": requires(NoPickle, NoCode, MaximumSize),
        "artifact_warnings": requires(NoPickle, NoCode),
        "artifact_code": requires(NoCode),
        "artifact_inspector": requires(NoPickle, NoCode),
        "stage_entered_at": requires(TimeInStage),
    }
    read = [column for column, is_asked in columns.items() if is_asked]
    rows = models.ModelVersion.objects.filter(
        in_scope("model", stage, model), deleted_at=None, model__deleted_at=None
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
            artifact_code=tuple(stated.get("artifact_code", ())),
            artifact_inspected=stated.get("artifact_inspector") == INSPECTOR,
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
    names: frozenset[str], model: models.RegisteredModel | None
) -> Iterable[MetricRow]:
    """Return the metrics of these names, by version, including versions out of scope."""
    if not names:
        return ()
    rows = models.Metric.objects.filter(name__in=names)
    return _metric_values(rows if model is None else rows.filter(version__model=model))


def _metric_values(rows: QuerySet[models.Metric]) -> Iterator[MetricRow]:
    read = ("version_id", "name", "value", "samples", "standard_error", "dataset")
    return rows.order_by("version_id").values_list(*read).iterator(chunk_size=CHUNK)


def _tag_rows(
    policies: Sequence[PromotionPolicy], model: models.RegisteredModel | None
) -> Iterable[tuple[int, str, str]]:
    keys = {r.key for p in policies for r in p.requirements if isinstance(r, RequiredTag)}
    if not keys:
        return ()
    rows = models.VersionTag.objects.filter(key__in=keys)
    rows = rows if model is None else rows.filter(version__model=model)
    read = rows.order_by("version_id").values_list("version_id", "key", "value")
    return read.iterator(chunk_size=CHUNK)


def _tags(rows: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    return {key: value for _, key, value in rows}


def _champions(
    names: frozenset[str], model: models.RegisteredModel | None
) -> dict[int, tuple[int, Evidence]]:
    """Return the id and evidence of each model's champion, by the id of the model."""
    scope = {"pk": model.pk} if model is not None else {"deleted_at": None}
    crowned = models.RegisteredModel.objects.filter(champion__isnull=False, **scope)
    measured = models.Metric.objects.filter(name__in=names, version__in=crowned.values("champion"))
    metrics = {
        pk: _metrics(rows) for pk, rows in groupby(_metric_values(measured), key=itemgetter(0))
    }
    return {
        pk: (champion, Evidence(version=number, metrics=metrics.get(champion, {})))
        for pk, champion, number in crowned.values_list("pk", "champion", "champion__number")
    }


def _names(pks: Iterable[int]) -> dict[int, NamedVersion]:
    """Return the names of versions by their ids; one statement."""
    rows = models.ModelVersion.objects.filter(pk__in=list(pks))
    return {
        pk: NamedVersion(name, number)
        for pk, name, number in rows.values_list("pk", "model__name", "number")
    }
