"""Rows as records of the core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from boards import models
from boards.access.actors import owner_name
from obeya import names
from obeya.errors import model_not_found, version_not_found
from obeya.metrics import Direction, Metric, MetricDefinition, Scale
from obeya.records import ModelVersion
from obeya.stages import Stage
from obeya.values import version_number


def find_model(name: str) -> models.RegisteredModel:
    """Return the model's row.

    Raises:
        NotFound: there is no model of that name, or it was deleted.
    """
    stored = names.stored_form(name)
    row = models.RegisteredModel.objects.filter(name=stored, deleted_at=None).first()
    if row is None:
        raise model_not_found(name)
    return row


def find_version(model: models.RegisteredModel, number: int) -> models.ModelVersion:
    """Return the version's row, its `model` set to the row given.

    Raises:
        NotFound: the model has no such version, or it was deleted.
    """
    row = models.ModelVersion.objects.filter(
        model=model, number=version_number(number), deleted_at=None
    ).first()
    if row is None:
        raise version_not_found(model.name, number)
    row.model = model
    return row


def find_named_version(name: str, number: int) -> models.ModelVersion:
    """Return the row of a version by the model's name, with its `model` and `owner`.

    Raises:
        NotFound: there is no such model or the model has no such version, or it was deleted.
    """
    row = (
        models.ModelVersion.objects.select_related("model", "owner")
        .filter(
            model__name=names.stored_form(name),
            model__deleted_at=None,
            number=version_number(number),
            deleted_at=None,
        )
        .first()
    )
    # If it is not found, model and version are queried separately, to report which one is missing.
    return row if row is not None else find_version(find_model(name), number)


def metric_records(version_ids: Iterable[int]) -> dict[int, dict[str, Metric]]:
    """Return the metrics of versions by name; one statement for any number of versions."""
    found: dict[int, dict[str, Metric]] = defaultdict(dict)
    for row in models.Metric.objects.filter(version__in=list(version_ids)).order_by("name"):
        found[row.version_id][row.name] = metric_record(row)
    return found


def metric_record(row: models.Metric) -> Metric:
    """Return a stored metric as a record of the core."""
    return Metric.stored(row.name, row.value, row.samples, row.standard_error, row.dataset)


def definitions() -> dict[str, MetricDefinition]:
    """Return all metric definitions by name; one statement."""
    return {
        row.name: MetricDefinition(
            name=row.name,
            direction=Direction(row.direction),
            unit=row.unit,
            scale=Scale(row.scale),
            title=row.title,
            description=row.description,
        )
        for row in models.MetricDefinition.objects.all()
    }


def version_records(rows: Sequence[models.ModelVersion]) -> list[ModelVersion]:
    """Return versions with everything that belongs to them, in the order given; three statements.

    Each row's `model` and `owner` must have been fetched with it.
    """
    ids = [row.pk for row in rows]
    metrics = metric_records(ids)
    tags: dict[int, dict[str, str]] = defaultdict(dict)
    for version_id, key, value in (
        models.VersionTag.objects.filter(version__in=ids)
        .order_by("key")
        .values_list("version_id", "key", "value")
    ):
        tags[version_id][key] = value
    aliases: dict[int, list[str]] = defaultdict(list)
    for version_id, name in (
        models.Alias.objects.filter(version__in=ids)
        .order_by("name")
        .values_list("version_id", "name")
    ):
        aliases[version_id].append(name)
    return [
        ModelVersion(
            model=row.model.name,
            version=row.number,
            stage=Stage(row.stage),
            revision=row.revision,
            created_at=row.created_at,
            stage_entered_at=row.stage_entered_at,
            label=row.label,
            measurements=metrics.get(row.pk, {}),
            tags=tags.get(row.pk, {}),
            aliases=tuple(aliases.get(row.pk, ())),
            artifact_path=row.artifact_uri,
            artifact_digest=row.artifact_digest,
            artifact_size=row.artifact_size,
            artifact_warnings=(*row.artifact_warnings, *row.artifact_code),
            source_run=row.source_run,
            description=row.description,
            owner=owner_name(row.owner),
            imported_unchecked=row.imported_unchecked,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def versions_of(model: models.RegisteredModel, stage: Stage | None = None) -> list[ModelVersion]:
    """Return a model's versions, of one stage or of all, by number."""
    rows = list(_rows_of(model, stage).order_by("number"))
    return version_records(_with_model(rows, model))


def versions_in_stage(stage: Stage, within: Q) -> list[ModelVersion]:
    """Return the versions in a stage that match `within`, by model and number.

    Three statements for each thousand versions.
    """
    rows = list(
        models.ModelVersion.objects.filter(
            within, stage=stage.value, deleted_at=None, model__deleted_at=None
        )
        .select_related("model", "owner")
        .order_by("model__name", "number")
    )
    return [
        record
        for start in range(0, len(rows), 1_000)
        for record in version_records(rows[start : start + 1_000])
    ]


def latest_version(
    model: models.RegisteredModel, stage: Stage | None = None
) -> ModelVersion | None:
    """Return the version with the highest number, of one stage or of all; None if there is none."""
    rows = list(_rows_of(model, stage).order_by("-number")[:1])
    return version_records(_with_model(rows, model))[0] if rows else None


def _rows_of(model: models.RegisteredModel, stage: Stage | None) -> QuerySet[models.ModelVersion]:
    rows = models.ModelVersion.objects.filter(model=model, deleted_at=None)
    return (rows.filter(stage=stage.value) if stage else rows).select_related("owner")


def _with_model(
    rows: list[models.ModelVersion], model: models.RegisteredModel
) -> list[models.ModelVersion]:
    for row in rows:
        row.model = model
    return rows


def owner_names() -> list[str]:
    """Return the names of the accounts that own a version; one statement."""
    owns = models.ModelVersion.objects.filter(owner=OuterRef("pk"), deleted_at=None)
    return list(
        models.User.objects.filter(Exists(owns))
        .order_by("username")
        .values_list("username", flat=True)
    )
