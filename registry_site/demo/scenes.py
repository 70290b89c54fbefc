"""The last days of the demo: an open request, a waiver, a rollback and a guardrail.

Each uses the first suitable model, by name. All figures are those of the data; the dates are
simulated like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from boards import models
from boards.queries.facts.evidence import facts_for
from boards.queries.facts.rollback import rollback_candidate
from boards.registry.database import DatabaseRegistry
from obeya.errors import RefusalKind
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.judge import TransitionJudgement, judge_transition

REQUESTED = timedelta(hours=3)
WAIVED = timedelta(hours=8)
ROLLED_BACK = timedelta(days=1)
WAIVER_LASTS = timedelta(days=30)
LIVE_METRIC = "cpu_step_ms"
LIVE_BOUND = 100.0

RegistryOf = Callable[[models.User | None, datetime], DatabaseRegistry]


def play_scenes(
    *,
    now: datetime,
    policy: PromotionPolicy,
    pipeline: models.User,
    releases: models.User,
    reviews: models.User,
    registry_of: RegistryOf,
) -> None:
    """Create each scene that does not exist, if a model is suitable.

    `policy` is the default policy for Production; the model of the request gets it with one
    approval.
    """
    if not models.TransitionRequest.objects.exists():
        _open_request(now - REQUESTED, policy, pipeline, registry_of)
    if not models.Waiver.objects.exists():
        _waive(now - WAIVED, reviews, registry_of)
    if not models.Guardrail.objects.exists():
        _roll_back(now - ROLLED_BACK, releases, registry_of)


def _open_request(
    at: datetime, policy: PromotionPolicy, pipeline: models.User, registry_of: RegistryOf
) -> None:
    for version, judgement in _in_staging(at):
        if judgement.allowed:
            name = version.model.name
            four_eyes = replace(policy, required_approvals=1)
            registry_of(None, at).set_policy(four_eyes, name)
            registry_of(pipeline, at).request_transition(
                name,
                version.number,
                reason="It passes every requirement. This model also requires an approval.",
                archive_existing=True,
            )
            return


def _waive(at: datetime, reviews: models.User, registry_of: RegistryOf) -> None:
    for version, judgement in _in_staging(at):
        policy_result = judgement.policy_result
        if (
            policy_result is not None
            and len(policy_result.failures) == 1
            and _only_policy(judgement)
        ):
            registry_of(reviews, at).waive(
                version.model.name,
                version.number,
                [policy_result.failures[0].requirement],
                reason="The other requirements are met. Measure again before the waiver expires.",
                expires_at=at + WAIVER_LASTS,
            )
            return


def _roll_back(at: datetime, releases: models.User, registry_of: RegistryOf) -> None:
    candidates = models.RegisteredModel.objects.filter(
        deleted_at=None, champion__isnull=False, chain_occurred_at__lt=at, archived_count__gt=0
    )
    for model in candidates.select_related("champion").order_by("name"):
        live = model.champion.metrics.filter(name=LIVE_METRIC).first() if model.champion else None
        if live is None or rollback_candidate(model) is None:
            continue
        registry_of(None, at).set_guardrail(
            model.name, Guardrail(LIVE_METRIC, Comparison.LTE, LIVE_BOUND)
        )
        registry_of(releases, at).rollback(
            model.name, reason="A rollback drill. Nothing was wrong with the version."
        )
        registry_of(releases, at).report_live_metric(model.name, LIVE_METRIC, live.value)
        return


def _in_staging(at: datetime) -> Iterator[tuple[models.ModelVersion, TransitionJudgement]]:
    """Yield the versions in Staging before a time, with their judgements for Production."""
    rows = models.ModelVersion.objects.filter(
        stage=Stage.STAGING.value,
        deleted_at=None,
        model__deleted_at=None,
        model__chain_occurred_at__lt=at,
    )
    for row in rows.select_related("model__champion").order_by("model__name", "number"):
        yield row, judge_transition(facts_for(row, Stage.PRODUCTION, at=at)[0])


def _only_policy(judgement: TransitionJudgement) -> bool:
    return all(refusal.kind is RefusalKind.POLICY for refusal in judgement.refusals)
