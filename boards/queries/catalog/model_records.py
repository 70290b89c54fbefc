"""Registered models as records of the core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Max, Q

from boards import models
from boards.access.actors import owner_name
from obeya.records import RegisteredModel
from obeya.stages import Stage


def model_records(rows: Sequence[models.RegisteredModel]) -> list[RegisteredModel]:
    """Return models with everything that belongs to them, in the order given; three statements.

    Each row's `owner` and `champion` must have been fetched with it.
    """
    ids = [row.pk for row in rows]
    tags: dict[int, dict[str, str]] = defaultdict(dict)
    for model_id, key, value in (
        models.ModelTag.objects.filter(model__in=ids)
        .order_by("key")
        .values_list("model_id", "key", "value")
    ):
        tags[model_id][key] = value
    aliases: dict[int, dict[str, int]] = defaultdict(dict)
    for model_id, name, number in (
        models.Alias.objects.filter(model__in=ids)
        .order_by("name")
        .values_list("model_id", "name", "version__number")
    ):
        aliases[model_id][name] = number
    latest = dict(
        models.ModelVersion.objects.filter(model__in=ids, deleted_at=None)
        .values_list("model_id")
        .annotate(latest=Max("number"))
    )
    return [
        RegisteredModel(
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            description=row.description,
            owner=owner_name(row.owner),
            tags=tags.get(row.pk, {}),
            aliases=aliases.get(row.pk, {}),
            stages={stage: row.count_in(stage) for stage in Stage},
            champion=row.champion.number if row.champion else None,
            latest=latest.get(row.pk),
            workflow=row.workflow,
        )
        for row in rows
    ]


def models_page(
    within: Q, *, text: str = "", after: str = "", limit: int
) -> tuple[list[models.RegisteredModel], str | None]:
    """Return models by name, after the name `after`, and the name to continue from or None.

    `text`: words that must all be in the name. One statement.
    """
    found = models.RegisteredModel.objects.filter(within, deleted_at=None)
    for word in text.split():
        found = found.filter(name__icontains=word)
    if after:
        found = found.filter(name__gt=after)
    rows = list(found.select_related("owner", "champion").order_by("name")[: limit + 1])
    if len(rows) > limit:
        return rows[:limit], rows[limit - 1].name
    return rows, None
