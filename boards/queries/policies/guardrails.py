"""The guardrails of a model with its reported live values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from boards import models
from obeya.policy.bounds import Comparison
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReading:
    """The last live value of a metric of one version; `holds` is None if there is no guardrail."""

    version: int
    metric: str
    value: float
    reported_at: datetime
    holds: bool | None


@dataclass(frozen=True, slots=True)
class GuardrailRow:
    """A guardrail and the last value of each version in Production, empty if none was reported.

    `unit` is that of the metric's definition.
    """

    guardrail: Guardrail
    unit: str
    readings: tuple[LiveReading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailsPanel:
    """The section of a model's guardrails.

    `unguarded` are live values of metrics that have no guardrail; `production` are the versions in
    Production now, the only ones whose values can be reported.
    """

    model: str
    champion: int | None
    production: tuple[int, ...]
    rows: tuple[GuardrailRow, ...]
    unguarded: tuple[LiveReading, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that has a guardrail or a live value, for completion."""
        guarded = [row.guardrail.metric for row in self.rows]
        return tuple(dict.fromkeys([*guarded, *(r.metric for r in self.unguarded)]))


def guardrails_of(model: models.RegisteredModel) -> dict[str, Guardrail]:
    """Return the guardrails of a model by metric; one statement."""
    return {
        row.metric: Guardrail(row.metric, Comparison(row.comparison), row.bound, row.auto_rollback)
        for row in models.Guardrail.objects.filter(model=model).order_by("metric")
    }


def guardrails_panel(model: models.RegisteredModel) -> GuardrailsPanel:
    """Return the guardrails of a model and its last live values; at most four statements."""
    guardrails = guardrails_of(model)
    units = dict(
        models.MetricDefinition.objects.filter(name__in=guardrails).values_list("name", "unit")
    )
    production = dict(
        models.ModelVersion.objects.filter(
            model=model, stage=Stage.PRODUCTION.value, deleted_at=None
        )
        .order_by("-number")
        .values_list("pk", "number")
    )
    readings = []
    for row in models.LiveValue.objects.filter(version__in=production).order_by(
        "metric", "-version__number"
    ):
        guardrail = guardrails.get(row.metric)
        holds = guardrail.holds(row.value) if guardrail else None
        readings.append(
            LiveReading(
                version=production[row.version_id],
                metric=row.metric,
                value=row.value,
                reported_at=row.reported_at,
                holds=holds,
            )
        )
    champion = production.get(model.champion_id) if model.champion_id else None
    return GuardrailsPanel(
        model=model.name,
        champion=champion,
        production=tuple(production.values()),
        rows=tuple(
            GuardrailRow(
                guardrail,
                units.get(metric, ""),
                tuple(r for r in readings if r.metric == metric),
            )
            for metric, guardrail in guardrails.items()
        ),
        unguarded=tuple(r for r in readings if r.holds is None),
    )
