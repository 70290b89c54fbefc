"""Every policy in force, and what a file of policies names that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from boards import models
from boards.queries.metrics.metric_names import unmeasured
from obeya import names
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy, whose it is (None for the site's), and the number of its revision."""

    model: str | None
    policy: PromotionPolicy
    revision: int


def policies_in_force(within: Q | None = None) -> list[PolicyInForce]:
    """The site's policies, then those of models by name, each by stage; one statement.

    `within` confines the models' own to some models; None to none.
    """
    rows = models.PolicyRevision.objects.filter(superseded_at=None, model__deleted_at=None)
    # An empty condition holds for all, yet “or” would leave it out.
    if within:
        rows = rows.filter(Q(model=None) | within)
    found = [
        PolicyInForce(
            row.model.name if row.model else None,
            PromotionPolicy.from_document(row.document),
            row.number,
        )
        for row in rows.select_related("model")
    ]
    return sorted(found, key=_place)


def policies_of(model: models.RegisteredModel) -> tuple[tuple[Stage, PolicyInForce | None], ...]:
    """The policy that gates each stage for a model: its own, else the site's, else None."""
    gates = {row.policy.stage: row for row in policies_in_force(Q(model=model))}
    return tuple((stage, gates.get(stage)) for stage in Stage if stage.is_gated)


def _place(row: PolicyInForce) -> tuple[bool, str, int]:
    position = row.policy.stage.position if row.policy.stage else -1
    return row.model is not None, row.model or "", position


def unknown_models(named: Iterable[tuple[str, int]]) -> list[str]:
    """The models, each given with its line, that are not there."""
    wanted = [(names.stored_form(model), model, line) for model, line in named]
    there = set(
        models.RegisteredModel.objects.filter(
            deleted_at=None, name__in={stored for stored, _, _ in wanted}
        ).values_list("name", flat=True)
    )
    return [
        f"line {line}: there is no registered model named “{model[:64]}”."
        for stored, model, line in wanted
        if stored not in there
    ]


def unknown_metrics(named: Iterable[tuple[str, int]]) -> list[str]:
    """The metrics, each given with its line, that no version has and nobody defined."""
    wanted = list(named)
    defined = set(models.MetricDefinition.objects.values_list("name", flat=True))
    missing = set(unmeasured(metric for metric, _ in wanted)) - defined
    return [
        f"line {line}: no version has the metric “{metric}” yet."
        for metric, line in wanted
        if metric in missing
    ]
