"""Alerts (andons): raised by a guardrail, until they are cleared."""

from __future__ import annotations

from boards import models
from boards.registry.commit import ModelWrite
from obeya.records import Action
from obeya.transitions.guardrails import Guardrail


def raise_andon(
    write: ModelWrite, version: models.ModelVersion, guardrail: Guardrail, value: float
) -> bool:
    """Raise an alert, or update the value of a raised one. Return whether it is new."""
    raised = models.Andon.objects.filter(
        version=version, metric=guardrail.metric, cleared_at=None
    ).first()
    if raised is not None:
        raised.value = value
        raised.save(update_fields=["value"])
        return False
    models.Andon.objects.create(
        version=version,
        metric=guardrail.metric,
        comparison=guardrail.comparison.value,
        bound=guardrail.bound,
        value=value,
        raised_at=write.at,
    )
    write.record(
        Action.ANDON_RAISED,
        version=version,
        data={"guardrail": guardrail.to_document(), "value": value},
    )
    return True


def clear_andons(
    write: ModelWrite,
    *,
    version: models.ModelVersion | None = None,
    metric: str | None = None,
) -> None:
    """Clear the raised alerts of the model: of one version, of one metric, or of both."""
    raised = models.Andon.objects.filter(version__model=write.model, cleared_at=None)
    if version is not None:
        raised = raised.filter(version=version)
    if metric is not None:
        raised = raised.filter(metric=metric)
    for andon in raised.select_related("version").order_by("pk"):
        andon.cleared_at = write.at
        andon.save(update_fields=["cleared_at"])
        write.record(Action.ANDON_CLEARED, version=andon.version, data={"metric": andon.metric})
