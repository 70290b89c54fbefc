"""The page of a model: its versions with all metrics, and its history in Production."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Case, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When

from boards import models
from boards.access.actors import owner_name
from boards.queries.board.board_columns import leading_metrics
from boards.queries.facts.evidence import workflow_of
from boards.queries.facts.governed_aliases import AliasLine, aliases_of
from boards.queries.facts.import_marks import GATED_TEXT, is_unchecked_after
from boards.queries.facts.records import definitions, find_model, metric_records
from boards.queries.metrics.champion_comparison import MeasuredMetric
from boards.queries.paging.whole_number import whole_number
from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import Metric, MetricDefinition, definition_for
from obeya.records import MOVES, Action
from obeya.stages import Stage, Workflow

PAGE = 100
SORTED_MAX = 500
SPANS_MAX = 200
COLUMNS_MAX = 40
# Stages are sorted in the order of the board, not by the letters of their names.
_BOARD_ORDER = Case(
    *(When(stage=stage.value, then=Value(place)) for place, stage in enumerate(Stage)),
    output_field=IntegerField(),
)
SORTS = {"version": "number", "stage": "stage", "label": "label", "registered": "created_at"}


@dataclass(frozen=True, slots=True)
class VersionsQuery:
    """The order of the versions, and the number that the page begins below.

    `by` is one of `SORTS` or ``metric:NAME``. Only the order by version, newest first, is paged;
    every other order shows the first `SORTED_MAX`.
    """

    by: str = "version"
    descending: bool = True
    below: int | None = None

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> VersionsQuery:
        """Parse the parameters ``sort`` (with the prefix ``-`` for descending) and ``below``.

        Raises:
            InvalidInput: one of them is invalid.
        """
        sort, below = values.get("sort") or "-version", values.get("below", "")
        by = sort.removeprefix("-")
        metric = by.startswith("metric:") and names.stored_form(by.removeprefix("metric:"))
        if not metric and by not in SORTS:
            raise InvalidInput(
                f"Unknown sort key “{by[:32]}”. Choose one of {', '.join(SORTS)} or metric:NAME.",
                field="sort",
            )
        number = whole_number(below)
        if below and number is None:
            raise InvalidInput(
                "This page link is invalid. Start from the first page.", field="below"
            )
        return cls(by, sort.startswith("-"), number)

    @property
    def is_paged(self) -> bool:
        """Whether the order has further pages."""
        return self.by == "version" and self.descending

    @property
    def metric(self) -> str:
        """The metric of the order; empty for other orders."""
        return self.by.removeprefix("metric:") if self.by.startswith("metric:") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version in the table; `cells` are in the order of the page's `columns`."""

    number: int
    label: str
    stage: Stage
    stage_entered_at: datetime
    created_at: datetime
    is_champion: bool
    is_unchecked: bool
    cells: tuple[MeasuredMetric, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionSpan:
    """A time of a version in Production. `until` None means that it is still there.

    `was_deleted`: it left by being deleted. `is_unchecked`: an import placed it there, and no
    policy was checked.
    """

    version: int
    since: datetime
    until: datetime | None
    was_deleted: bool = False
    is_unchecked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """The page. `next_below` leads to older versions, None if there are none."""

    name: str
    description: str
    owner: str
    workflow: Workflow
    created_at: datetime
    updated_at: datetime
    counts: tuple[tuple[Stage, int], ...]
    champion: int | None
    champion_is_unchecked: bool
    tags: Mapping[str, str]
    aliases: tuple[AliasLine, ...]
    columns: tuple[MetricDefinition, ...]
    hidden_columns: int
    rows: tuple[VersionRow, ...]
    next_below: int | None
    spans: tuple[ProductionSpan, ...]
    query: VersionsQuery

    @property
    def was_left(self) -> bool:
        """Whether a version has left Production, so that a rollback has a target."""
        return any(span.until is not None and not span.was_deleted for span in self.spans)

    @property
    def versions(self) -> int:
        """The number of versions."""
        return sum(count for _, count in self.counts)


def model_page(name: str, query: VersionsQuery) -> ModelPage:
    """Return the page of a model; at most thirteen statements for any number of versions.

    Raises:
        NotFound: there is no model of that name.
    """
    model = find_model(name)
    page = list(_ordered(model, query))
    next_below = None
    if query.is_paged and len(page) > PAGE:
        page = page[:PAGE]
        next_below = page[-1].number
    champion = model.champion
    metrics = metric_records({row.pk for row in page} | ({champion.pk} if champion else set()))
    defined = definitions()
    measured = _columns(model, [metrics.get(row.pk, {}) for row in page])
    columns = tuple(definition_for(metric, defined) for metric in measured[:COLUMNS_MAX])
    standing = metrics.get(champion.pk, {}) if champion else {}
    return ModelPage(
        name=model.name,
        description=model.description,
        owner=owner_name(model.owner),
        workflow=workflow_of(model),
        created_at=model.created_at,
        updated_at=model.updated_at,
        counts=tuple((stage, model.count_in(stage)) for stage in Stage),
        champion=champion.number if champion else None,
        champion_is_unchecked=champion is not None and champion.imported_unchecked,
        tags=dict(
            models.ModelTag.objects.filter(model=model).order_by("key").values_list("key", "value")
        ),
        aliases=aliases_of(model),
        columns=columns,
        hidden_columns=max(0, len(measured) - COLUMNS_MAX),
        rows=tuple(
            _row(row, columns, metrics.get(row.pk, {}), standing, model.champion_id) for row in page
        ),
        next_below=next_below,
        spans=production_spans(model),
        query=query,
    )


def production_spans(model: models.RegisteredModel) -> tuple[ProductionSpan, ...]:
    """Return the versions' times in Production, from the log, the latest entry last; one statement.

    At most the last `SPANS_MAX` moves into and out of Production are read; a deletion counts as a
    move out.
    """
    production = Stage.PRODUCTION.value
    moves = (
        models.AuditEvent.objects.filter(
            Q(from_stage=production) | Q(to_stage=production),
            model=model,
            action__in=(*MOVES, Action.VERSION_DELETED),
        )
        .annotate(gated_text=GATED_TEXT)
        .order_by("-sequence")
        .values_list(
            "version__number", "to_stage", "occurred_at", "action", "channel", "gated_text"
        )[:SPANS_MAX]
    )
    spans: list[ProductionSpan] = []
    entered: dict[int, ProductionSpan] = {}
    for number, to_stage, moment, action, channel, text in reversed(moves):
        if to_stage == production:
            entered[number] = ProductionSpan(
                version=number,
                since=moment,
                until=None,
                is_unchecked=is_unchecked_after(to_stage, channel, text),
            )
        elif number in entered:
            gone = action == Action.VERSION_DELETED.value
            spans.append(replace(entered.pop(number), until=moment, was_deleted=gone))
    spans += entered.values()
    return tuple(sorted(spans, key=lambda span: (span.since, span.version)))


def _columns(model: models.RegisteredModel, measured: list[dict[str, Metric]]) -> list[str]:
    """Return metric names: headline and required metrics, then those that most versions have."""
    counts = Counter(name for metrics in measured for name in metrics)
    rank = {name: place for place, name in enumerate(leading_metrics(model))}
    return sorted(counts, key=lambda name: (rank.get(name, len(rank)), -counts[name], name))


def _ordered(model: models.RegisteredModel, query: VersionsQuery) -> QuerySet[models.ModelVersion]:
    rows = models.ModelVersion.objects.filter(model=model, deleted_at=None).defer("description")
    if query.is_paged:
        if query.below is not None:
            rows = rows.filter(number__lt=query.below)
        return rows.order_by("-number")[: PAGE + 1]
    if query.metric:
        value = models.Metric.objects.filter(version=OuterRef("pk"), name=query.metric)
        rows = rows.annotate(sorted_by=Subquery(value.values("value")[:1]))
        column = F("sorted_by")
    elif query.by == "stage":
        rows = rows.annotate(sorted_by=_BOARD_ORDER)
        column = F("sorted_by")
    else:
        column = F(SORTS[query.by])
    order = column.desc(nulls_last=True) if query.descending else column.asc(nulls_last=True)
    return rows.order_by(order, "-number")[:SORTED_MAX]


def _row(
    row: models.ModelVersion,
    columns: tuple[MetricDefinition, ...],
    own: Mapping[str, Metric],
    standing: Mapping[str, Metric],
    champion_id: int | None,
) -> VersionRow:
    is_champion = row.pk == champion_id
    held_against = {} if is_champion else standing
    return VersionRow(
        number=row.number,
        label=row.label,
        stage=Stage(row.stage),
        stage_entered_at=row.stage_entered_at,
        created_at=row.created_at,
        is_champion=is_champion,
        is_unchecked=row.imported_unchecked,
        cells=tuple(
            MeasuredMetric(column, own.get(column.name), held_against.get(column.name))
            for column in columns
        ),
    )
