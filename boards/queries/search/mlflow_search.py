"""The search of MLflow's clients for models and versions: clauses, an order, and keyset pages.

Clauses have MLflow's meaning: a clause on a tag matches only what has the tag, also with ``!=``;
prompts, which MLflow stores among its models, are found only if the filter requests them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery

from boards import models
from boards.queries.paging.keyset import Order, Value
from boards.queries.search.like import Like
from obeya.stages import Stage

PROMPT_TAG = "mlflow.prompt.is_prompt"

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One comparison. `tag` is the tag's key, None if `column` is a column of the row.

    `comparator` is one of ``= != < <= > >= LIKE ILIKE IN``, or ``NOT IN``; `value` is a text or a
    number, for the last two a tuple of texts.
    """

    comparator: str
    value: str | int | tuple[str, ...]
    column: str = ""
    tag: str | None = None


def search_models(
    within: Q, clauses: Sequence[Clause], order: Order, after: Sequence[Value] | None, limit: int
) -> tuple[list[models.RegisteredModel], bool]:
    """Return the models that match all clauses, and whether there are more after them.

    `after` is the values of the order's keys at the row to continue from. One statement.
    """
    found = models.RegisteredModel.objects.filter(within, deleted_at=None)
    found = _filtered(found, clauses, models.ModelTag.objects.filter(model=OuterRef("pk")))
    return _page(found.select_related("owner"), order, after, limit)


def search_versions(
    within: Q, clauses: Sequence[Clause], order: Order, after: Sequence[Value] | None, limit: int
) -> tuple[list[models.ModelVersion], bool]:
    """Return versions like `search_models`, with their `model` and `owner`."""
    found = models.ModelVersion.objects.filter(within, deleted_at=None)
    found = _filtered(found, clauses, models.VersionTag.objects.filter(version=OuterRef("pk")))
    return _page(found.select_related("model", "owner"), order, after, limit)


def latest_versions(
    rows: Sequence[models.RegisteredModel], stages: Collection[Stage] = tuple(Stage)
) -> list[models.ModelVersion]:
    """Return the version with the highest number in each of the stages of each model, by number.

    One statement; none if the stages are empty. `model` and `owner` are fetched with them.
    """
    filled = {stage: [row.pk for row in rows if row.count_in(stage)] for stage in stages}
    newest = [Q(pk__in=_latest_in(stage, ids)) for stage, ids in filled.items() if ids]
    if not newest:
        return []
    found = models.ModelVersion.objects.filter(reduce(or_, newest))
    return list(found.select_related("model", "owner").order_by("number"))


def _latest_in(stage: Stage, model_ids: Sequence[int]) -> QuerySet[Any, Any]:
    newest = (
        models.ModelVersion.objects.filter(model=OuterRef("pk"), stage=stage.value, deleted_at=None)
        .order_by("-number")
        .values("pk")[:1]
    )
    return models.RegisteredModel.objects.filter(pk__in=model_ids).values_list(Subquery(newest))


def cursor_of(row: Model, order: Order) -> str:
    """Return the cursor of the position after a row that was fetched."""
    paths = [key.column.split("__") for key in order.keys]
    return order.cursor([reduce(getattr, path, row) for path in paths])  # type: ignore[misc]


def _filtered(
    found: QuerySet[Row, Row], clauses: Sequence[Clause], tags: QuerySet[Any, Any]
) -> QuerySet[Row, Row]:
    asks_for_prompts = False
    for clause in clauses:
        if clause.tag == PROMPT_TAG:
            asks_for_prompts = _asks_for_prompts(clause)
        elif clause.tag is not None:
            found = found.filter(Exists(_compared(tags.filter(key=clause.tag), "value", clause)))
        else:
            found = _compared(found, clause.column, clause)
    prompt = Exists(tags.filter(key=PROMPT_TAG, value="true"))
    return found.filter(prompt if asks_for_prompts else ~prompt)


def _asks_for_prompts(clause: Clause) -> bool:
    return (clause.comparator, str(clause.value).lower()) in (("=", "true"), ("!=", "false"))


def _compared(found: QuerySet[Row, Row], column: str, clause: Clause) -> QuerySet[Row, Row]:
    value = clause.value
    if column == "model__name" and clause.comparator == "=":
        named = models.RegisteredModel.objects.filter(name=value, deleted_at=None)
        # `=` rather than a join, so that the index that begins with the model is used.
        return found.filter(model=Subquery(named.values("pk")[:1]))
    match clause.comparator:
        case "LIKE" | "ILIKE":
            any_case = clause.comparator == "ILIKE"
            return found.filter(Like(column, str(value), any_case=any_case))
        case "IN":
            return found.filter(**{f"{column}__in": value})
        case "NOT IN":
            return found.exclude(**{f"{column}__in": value})
        case "=":
            return found.filter(**{column: value})
        case "!=":
            return found.exclude(**{column: value})
    lookup = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[clause.comparator]
    return found.filter(**{f"{column}__{lookup}": value})


def _page(
    found: QuerySet[Row, Row], order: Order, after: Sequence[Value] | None, limit: int
) -> tuple[list[Row], bool]:
    if after is not None:
        found = found.filter(order.beyond(after))
    rows = list(found.order_by(*order.order_by)[: limit + 1])
    return rows[:limit], len(rows) > limit
