"""The facts that a move is judged by, read for one version."""

from __future__ import annotations

from django.conf import settings
from django.db.models import F, Q

from boards import models
from boards.queries.records import metric_records
from obeya.metrics import Metric
from obeya.policies import Evidence, PromotionPolicy, Verdict, no_policy
from obeya.stages import Stage, Workflow, workflow_named
from obeya.transitions import TransitionFacts, TransitionJudgement, judge_transition


def workflow_of(model: models.RegisteredModel) -> Workflow:
    """The model's own workflow, else the site's."""
    return workflow_named(model.workflow or settings.OBEYA_WORKFLOW)


def policy_in_force(
    model: models.RegisteredModel | None, stage: Stage
) -> models.PolicyRevision | None:
    """The revision that guards `stage`: the model's own, else the site's, else None."""
    return (
        models.PolicyRevision.objects.filter(
            Q(model=model) | Q(model=None), stage=stage.value, superseded_at=None
        )
        .order_by(F("model").asc(nulls_last=True))
        .first()
    )


def facts_for(
    version: models.ModelVersion, to_stage: Stage
) -> tuple[TransitionFacts, models.PolicyRevision | None]:
    """What a move of `version` is judged by, and the policy revision among it.

    `version.model` must be the row as it stands, locked where the move will be made. Three
    statements: the policy, the metrics of the version and the champion, and the champion.
    """
    model = version.model
    revision = policy_in_force(model, to_stage) if to_stage.is_gated else None
    evidence, champion = evidence_of(version)
    facts = TransitionFacts(
        from_stage=Stage(version.stage),
        to_stage=to_stage,
        workflow=workflow_of(model),
        evidence=evidence,
        policy=PromotionPolicy.from_document(revision.document) if revision else None,
        policy_revision=revision.number if revision else None,
        champion=champion,
    )
    return facts, revision


def evidence_of(version: models.ModelVersion) -> tuple[Evidence, Evidence | None]:
    """The evidence of a version and of its model's champion, None where it is the champion."""
    champion_id = version.model.champion_id
    metrics: dict[int, dict[str, Metric]] = metric_records(
        {version.pk, champion_id} - {None}  # type: ignore[arg-type]  # None is taken out
    )
    evidence = Evidence(version.number, metrics.get(version.pk, {}))
    if champion_id is None or champion_id == version.pk:
        return evidence, None
    champion = models.ModelVersion.objects.only("number").get(pk=champion_id)
    return evidence, Evidence(champion.number, metrics.get(champion_id, {}))


def judge(version: models.ModelVersion, to_stage: Stage) -> TransitionJudgement:
    """Judge a move by every rule without making it."""
    return judge_transition(facts_for(version, to_stage)[0])


def verdict_for(
    version: models.ModelVersion,
    policy: PromotionPolicy | None = None,
    to_stage: Stage | None = None,
) -> Verdict:
    """Hold a version against `policy`, else that of `to_stage`, else that of its next stage."""
    if policy is not None:
        evidence, champion = evidence_of(version)
        return policy.check(evidence, champion)
    stage = to_stage or Stage(version.stage).next
    return no_policy(None) if stage is None else facts_for(version, stage)[0].check_policy()
