"""What moves of versions are judged by, read for one version or for a page of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from django.conf import settings
from django.db.models import Q, Sum
from django.utils import timezone

from boards import models
from boards.queries.facts.open_requests import OpenRequest, open_requests
from boards.queries.facts.policies_in_force import PoliciesInForce
from boards.queries.facts.records import definitions, metric_record
from boards.queries.facts.waivers import waivers_of
from obeya.artifacts.inspection import INSPECTOR
from obeya.metrics import Metric
from obeya.policy.requirements import Definitions, Evidence
from obeya.policy.rules import RequiredDescription, RequiredTag
from obeya.stages import Stage, Workflow, workflow_named
from obeya.transitions.judge import TransitionFacts
from obeya.transitions.limits import OCCUPANTS_NAMED, LimitMode, StageLoad, WipLimit


def workflow_of(model: models.RegisteredModel) -> Workflow:
    """Return the model's workflow, else the default workflow."""
    return workflow_named(model.workflow or settings.OBEYA_WORKFLOW)


class MoveFacts:
    """What every move of some versions is judged by.

    A fixed number of statements, at most ten, for any number of versions. Each row's `model` and
    its `champion` must have been fetched with it. `shown` are the metrics that the caller reads
    from `metrics` besides those that policies require; None means all. `limits` are the WIP limits
    if the caller has read them. `with_digest`: the digest of the evidence is needed even without
    reviews.
    """

    def __init__(
        self,
        rows: Sequence[models.ModelVersion],
        policies: PoliciesInForce | None = None,
        *,
        shown: Collection[str] | None = None,
        with_digest: bool = False,
        limits: Sequence[models.WipLimit] | None = None,
        at: datetime | None = None,
    ) -> None:
        self.at = at or timezone.now()
        self.policies = policies or PoliciesInForce({row.model_id for row in rows})
        ids = [row.pk for row in rows]
        self._requests = open_requests(ids, self.at)
        # Without a policy there is nothing to waive.
        self._waivers = waivers_of(ids) if self.policies.all else {}
        # An approval is bound to all evidence of a version, so nothing can be left out then.
        self._is_whole = with_digest or any(r.reviews for r in self._requests.values())
        champions = {row.model.champion_id for row in rows if row.model.champion_id}
        self.metrics = self._metrics({*ids, *champions}, shown)
        self._tags = self._read_tags(ids)
        self._descriptions = self._read_descriptions(rows)
        self._limits = limits_on({row.model_id for row in rows}) if limits is None else limits
        self._site_counts = self._read_site_counts()

    @cached_property
    def definitions(self) -> Definitions:
        """The definitions of metrics; read at the first access."""
        return definitions()

    def request_of(self, row: models.ModelVersion, stage: Stage) -> OpenRequest | None:
        """Return the open request to move a version to `stage`, None if there is none."""
        return self._requests.get((row.pk, stage.value))

    def evidence_of(self, row: models.ModelVersion) -> tuple[Evidence, Evidence | None]:
        """Return the evidence of a version and of its champion (None if that is the version)."""
        evidence = Evidence(
            version=row.number,
            metrics=self.metrics.get(row.pk, {}),
            tags=self._tags.get(row.pk, {}),
            description=self._descriptions.get(row.pk, ""),
            artifact_path=row.artifact_uri,
            artifact_digest=row.artifact_digest,
            time_in_stage=self.at - row.stage_entered_at,
            artifact_size=row.artifact_size,
            artifact_warnings=tuple(row.artifact_warnings),
            artifact_code=tuple(row.artifact_code),
            artifact_inspected=row.artifact_inspector == INSPECTOR,
        )
        champion = row.model.champion
        if champion is None or champion.pk == row.pk:
            return evidence, None
        return evidence, Evidence(
            version=champion.number, metrics=self.metrics.get(champion.pk, {})
        )

    def of(
        self, row: models.ModelVersion, to_stage: Stage, *, archive_existing: bool = False
    ) -> TransitionFacts:
        """Return what the move of one of the versions to `to_stage` is judged by."""
        found = self.policies.of(row.model_id, to_stage)
        policy = found.policy if found else None
        evidence, champion = self.evidence_of(row)
        facts = TransitionFacts(
            from_stage=Stage(row.stage),
            to_stage=to_stage,
            workflow=workflow_of(row.model),
            evidence=evidence,
            policy=policy,
            policy_revision=found.revision if found else None,
            champion=champion,
            definitions=self.definitions if policy and policy.uses_noise else {},
            waivers=tuple(w for w in self._waivers.get(row.pk, ()) if w.stage is to_stage),
            loads=tuple(self._loads(row, to_stage, archive_existing=archive_existing)),
            at=self.at,
        )
        request = self.request_of(row, to_stage)
        if request is None or not request.reviews:
            return facts
        return replace(facts, approvals=request.approvals(facts.evidence_digest))

    def _metrics(
        self, ids: Collection[int], shown: Collection[str] | None
    ) -> dict[int, dict[str, Metric]]:
        found = models.Metric.objects.filter(version__in=ids).order_by("name")
        if shown is not None and not self._is_whole:
            found = found.filter(name__in=self.policies.metric_names.union(shown))
        metrics: dict[int, dict[str, Metric]] = defaultdict(dict)
        for row in found:
            metrics[row.version_id][row.name] = metric_record(row)
        return metrics

    def _read_tags(self, ids: Collection[int]) -> dict[int, dict[str, str]]:
        tags: dict[int, dict[str, str]] = defaultdict(dict)
        keys = {
            r.key for p in self.policies.all for r in p.requirements if isinstance(r, RequiredTag)
        }
        if keys or self._is_whole:
            rows = models.VersionTag.objects.filter(version__in=ids)
            rows = rows if self._is_whole else rows.filter(key__in=keys)
            for version_id, key, value in rows.values_list("version_id", "key", "value"):
                tags[version_id][key] = value
        return tags

    def _read_descriptions(self, rows: Sequence[models.ModelVersion]) -> dict[int, str]:
        """Pages do not fetch descriptions with their rows, because they can be long."""
        if not self._is_whole and not self.policies.has_any(RequiredDescription):
            return {}
        if not any("description" in row.get_deferred_fields() for row in rows):
            return {row.pk: row.description for row in rows}
        there = models.ModelVersion.objects.filter(pk__in=[row.pk for row in rows])
        return dict(there.exclude(description="").values_list("pk", "description"))

    def _read_site_counts(self) -> dict[str, int]:
        stages = {limit.stage for limit in self._limits if limit.model_id is None}
        if not stages:
            return {}
        found = models.RegisteredModel.objects.filter(deleted_at=None).aggregate(
            **{stage: Sum(f"{stage}_count") for stage in stages}
        )
        return {stage: found[stage] or 0 for stage in stages}

    def _loads(
        self, row: models.ModelVersion, stage: Stage, *, archive_existing: bool
    ) -> Iterable[StageLoad]:
        for limit in self._limits:
            if limit.stage != stage.value or limit.model_id not in (None, row.model_id):
                continue
            own = row.model.count_in(stage)
            count = own if limit.model_id else self._site_counts[limit.stage]
            if archive_existing:
                count -= own
            elif row.stage == stage.value:
                count -= 1
            yield StageLoad(
                WipLimit(stage, limit.limit, LimitMode(limit.mode)),
                row.model.name if limit.model_id else None,
                count,
            )


def limits_on(model_ids: Collection[int]) -> list[models.WipLimit]:
    """Return the WIP limits of models and of the whole registry; one statement."""
    rows = models.WipLimit.objects.filter(Q(model__in=model_ids) | Q(model=None))
    return list(rows.order_by("-model"))


def facts_for(
    version: models.ModelVersion,
    to_stage: Stage,
    *,
    archive_existing: bool = False,
    at: datetime | None = None,
) -> tuple[TransitionFacts, models.PolicyRevision | None]:
    """Return what a move of one version is judged by, and the revision of its policy.

    `version.model` must be the current row, locked if the move will be made. The versions that fill
    a stage are listed.
    """
    source = MoveFacts([version], with_digest=True, at=at)
    facts = source.of(version, to_stage, archive_existing=archive_existing)
    named = named_occupants(version, facts, archive_existing=archive_existing)
    return named, source.policies.row_of(version.model_id, to_stage)


def named_occupants(
    version: models.ModelVersion, facts: TransitionFacts, *, archive_existing: bool
) -> TransitionFacts:
    """Return the facts with some of the versions that fill the target stage.

    The model's own versions are left out if the move archives them, as in the counts.
    """
    if not any(load.is_full for load in facts.loads):
        return facts
    there = (
        models.ModelVersion.objects.filter(stage=facts.to_stage.value, deleted_at=None)
        .exclude(pk=version.pk)
        .order_by("-stage_entered_at", "-pk")
    )
    loads = []
    for load in facts.loads:
        if load.is_full and load.model is not None:
            numbers = there.filter(model=version.model_id).values_list("number", flat=True)
            named = tuple(f"v{number}" for number in numbers[:OCCUPANTS_NAMED])
            loads.append(replace(load, occupants=named))
        elif load.is_full:
            counted = there.exclude(model=version.model_id) if archive_existing else there
            rows = counted.values_list("model__name", "number")[:OCCUPANTS_NAMED]
            loads.append(replace(load, occupants=tuple(f"{name} v{n}" for name, n in rows)))
        else:
            loads.append(load)
    return replace(facts, loads=tuple(loads))
