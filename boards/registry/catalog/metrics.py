"""Writes to the metrics of versions and to the definitions of metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.queries.facts.records import metric_records
from boards.registry.catalog import metric_rows
from boards.registry.commit import writing_model, writing_site
from obeya import names
from obeya.errors import InvalidInput
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
from obeya.metrics import MetricDefinition, metric_document
from obeya.records import Action
from obeya.values import MetricValues, as_metrics

# Lengths of the columns, in characters; SQLite does not enforce them.
UNIT_MAX = 24
TITLE_MAX = 40


def log_metrics(
    *,
    name: str,
    version: int,
    metrics: MetricValues,
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> models.ModelVersion:
    """Add metrics to a version. An existing metric is replaced, and its old value logged.

    Metrics equal to the existing ones write nothing.

    Raises:
        SimilarName: a name is new and similar to another of the version, and `allow_similar` is
            false.
    """
    actor.require(Permission.REGISTER, name)
    checked = as_metrics(metrics)
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        present = metric_records([row.pk]).get(row.pk, {})
        changed = {n: m for n, m in checked.items() if present.get(n) != m}
        if not changed:
            return row
        known = metric_rows.metric_names(write.model, present)
        similar = {n: write.check_name(known, n, allow_similar=allow_similar) for n in changed}
        models.Metric.objects.bulk_create(
            metric_rows.rows(row, changed.values(), write.at),
            update_conflicts=True,
            unique_fields=["version", "name"],
            update_fields=["value", "samples", "standard_error", "dataset", "logged_at"],
        )
        write.update_version(row)
        write.record(
            Action.METRICS_LOGGED,
            version=row,
            data={
                "metrics": {
                    n: {
                        "old": metric_document(present[n]) if n in present else None,
                        "new": metric_document(m),
                    }
                    for n, m in changed.items()
                },
                **similar_to({n: others for n, others in similar.items() if others}),
            },
        )
        return row


def define_metric(*, definition: MetricDefinition, actor: Actor, at: datetime) -> None:
    """Define a metric name: direction, unit, scale, title, description.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
        InvalidInput: the name, unit or title is invalid.
    """
    actor.require(Permission.EDIT_POLICY, None)
    metric = names.metric_name(definition.name)
    values: dict[str, Any] = {
        "direction": definition.direction.value,
        "unit": _short(definition.unit, "unit", UNIT_MAX),
        "scale": definition.scale.value,
        "title": _short(definition.title, "title", TITLE_MAX),
        "description": names.description(definition.description),
    }
    with writing_site(actor=actor, at=at) as write:
        present = models.MetricDefinition.objects.filter(name=metric).values(*values).first()
        if present == values:
            return
        if present is None:
            is_in_use = models.Metric.objects.filter(name=metric).exists
            write.check_name(NewNames(NameKind.METRIC, is_in_use=lambda _: is_in_use()), metric)
        models.MetricDefinition.objects.update_or_create(
            name=metric, defaults={**values, "updated_at": write.at}
        )
        write.record(Action.METRIC_DEFINED, data={"metric": metric, "old": present, "new": values})


def _short(text: str, field: str, longest: int) -> str:
    try:
        stored = names.description(text)
    except InvalidInput:
        stored = None
    if stored is None or len(stored) > longest:
        raise InvalidInput(
            f"The {field} of a metric must be a text of at most {longest} characters.", field=field
        )
    return stored
