"""The list of registered models: searched, sorted and paged by the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import F

from boards import models
from boards.access.actors import owner_name
from boards.queries.board.board_columns import headlines_of
from boards.queries.metrics.champion_comparison import MeasuredMetric
from boards.queries.paging.keyset import Kind, Order, SortKey, Value
from obeya import names
from obeya.errors import InvalidInput
from obeya.stages import Stage

PAGE = 50
SORTS = ("name", "versions", "updated")

_COLUMNS = {
    "name": SortKey("name", Kind.NAME),
    "versions": SortKey("version_total", Kind.NUMBER),
    "updated": SortKey("updated_at", Kind.MOMENT),
}

_TOTAL = F("development_count") + F("staging_count") + F("production_count") + F("archived_count")


@dataclass(frozen=True, slots=True)
class ModelsQuery:
    """The search and order of the list. `sort` is one of `SORTS`, ``-`` before it for descending.

    `after` is the sorted value and the id of the last model of the page before.
    """

    text: str = ""
    sort: str = "name"
    after: tuple[Value, ...] | None = None

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> ModelsQuery:
        """Parse the parameters ``q``, ``sort`` and ``after``.

        Raises:
            InvalidInput: one of them is invalid.
        """
        text, sort = names.search_text(values.get("q", "")), values.get("sort") or "name"
        if sort.removeprefix("-") not in SORTS:
            raise InvalidInput(
                f"Unknown sort key “{sort[:32]}”. Choose one of {', '.join(SORTS)}.", field="sort"
            )
        query = cls(text, sort)
        return replace(query, after=query.order.parse(values.get("after", "")))

    @property
    def by(self) -> str:
        """The column of the order."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    @property
    def order(self) -> Order:
        """The order of the list, with the id as the last key."""
        key = replace(_COLUMNS[self.by], ascending=not self.descending)
        return Order(self.sort, (key, SortKey("pk", Kind.NUMBER, ascending=key.ascending)))

    def url(self, **changes: str) -> str:
        """Return the query string of the first page with another order or search."""
        parameters = {"q": self.text, "sort": "" if self.sort == "name" else self.sort, **changes}
        return urlencode({name: value for name, value in parameters.items() if value})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model: its versions by stage, its champion's number and headline metrics."""

    name: str
    owner: str
    updated_at: datetime
    counts: tuple[tuple[Stage, int], ...]
    champion: int | None
    champion_is_unchecked: bool
    champion_metrics: tuple[MeasuredMetric, ...]

    @property
    def versions(self) -> int:
        """The number of versions."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class ModelsList:
    """One page of the list. `next_url` is the query string of the next, empty on the last."""

    query: ModelsQuery
    rows: tuple[ModelRow, ...]
    next_url: str


def models_list(query: ModelsQuery) -> ModelsList:
    """Return one page; five statements whatever its size."""
    rows = (
        models.RegisteredModel.objects.filter(deleted_at=None)
        .annotate(version_total=_TOTAL)
        .select_related("champion", "owner")
        .defer("description")
    )
    for word in query.text.split():
        rows = rows.filter(name__icontains=word)
    order = query.order
    if query.after is not None:
        rows = rows.filter(order.beyond(query.after))
    page = list(rows.order_by(*order.order_by)[: PAGE + 1])
    next_url = ""
    if len(page) > PAGE:
        page = page[:PAGE]
        last = page[-1]
        sorted_by = getattr(last, order.keys[0].column)
        next_url = query.url(after=order.cursor((sorted_by, last.pk)))
    headlines = headlines_of(page)
    return ModelsList(
        query,
        tuple(
            ModelRow(
                name=row.name,
                owner=owner_name(row.owner),
                updated_at=row.updated_at,
                counts=tuple((stage, row.count_in(stage)) for stage in Stage),
                champion=row.champion.number if row.champion else None,
                champion_is_unchecked=row.champion is not None and row.champion.imported_unchecked,
                champion_metrics=headlines.get(row.pk, ()),
            )
            for row in page
        ),
        next_url,
    )
