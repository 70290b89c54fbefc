"""The list of registered models: searched, sorted and paged by the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import F, Q

from boards import models
from boards.queries.board.board_columns import headlines_of
from boards.queries.metrics.champion_comparison import MeasuredMetric
from boards.queries.paging.keyset import Cursor, broken_link
from boards.queries.paging.whole_number import ID_MAX, whole_number
from obeya import names
from obeya.errors import InvalidInput
from obeya.stages import Stage

PAGE = 50
SORTS = ("name", "versions", "updated")

_COLUMNS = {"name": "name", "versions": "version_total", "updated": "updated_at"}

_TOTAL = F("development_count") + F("staging_count") + F("production_count") + F("archived_count")


@dataclass(frozen=True, slots=True)
class ModelsQuery:
    """What is asked of the list. `sort` is one of `SORTS`, behind ``-`` for descending.

    `after` is the sorted value and the id of the last model of the page before.
    """

    text: str = ""
    sort: str = "name"
    after: tuple[str | int | datetime, int] | None = None

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> ModelsQuery:
        """Read the parameters ``q``, ``sort``, ``after`` and ``id``.

        Raises:
            InvalidInput: one of them cannot be.
        """
        text, sort = names.search_text(values.get("q", "")), values.get("sort") or "name"
        if sort.removeprefix("-") not in SORTS:
            raise InvalidInput(
                f"Models are sorted by {', '.join(SORTS)}, not by “{sort[:32]}”.", field="sort"
            )
        if "after" not in values:
            return cls(text, sort)
        after = values["after"]
        if sort.removeprefix("-") == "updated":
            cursor = Cursor.parse(after)
            return cls(text, sort, (cursor.moment, cursor.pk) if cursor else None)
        value = whole_number(after) if sort.removeprefix("-") == "versions" else after
        pk = whole_number(values.get("id", ""), at_most=ID_MAX)
        if pk is None or value is None or "\x00" in after:
            raise broken_link()
        return cls(text, sort, (value, pk))

    @property
    def by(self) -> str:
        """The column that is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    def url(self, **changes: str) -> str:
        """The query string of this list, sorted or searched another way, from its first page."""
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
    champion_metrics: tuple[MeasuredMetric, ...]

    @property
    def versions(self) -> int:
        """How many versions there are."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class ModelsList:
    """One page of the list. `next_url` is the query string of the next, empty on the last."""

    query: ModelsQuery
    rows: tuple[ModelRow, ...]
    next_url: str


def models_list(query: ModelsQuery) -> ModelsList:
    """One page; five statements whatever its size."""
    rows = (
        models.RegisteredModel.objects.filter(deleted_at=None)
        .annotate(version_total=_TOTAL)
        .select_related("champion", "owner")
        .defer("description")
    )
    for word in query.text.split():
        rows = rows.filter(name__icontains=word)
    column = _COLUMNS[query.by]
    if query.after is not None:
        rows = rows.filter(_beyond(query, column))
    sign = "-" if query.descending else ""
    page = list(rows.order_by(f"{sign}{column}", f"{sign}pk")[: PAGE + 1])
    next_url = ""
    if len(page) > PAGE:
        page = page[:PAGE]
        last = page[-1]
        if query.by == "updated":
            next_url = query.url(after=str(Cursor(last.updated_at, last.pk)))
        else:
            next_url = query.url(after=str(getattr(last, column)), id=str(last.pk))
    headlines = headlines_of(page)
    return ModelsList(
        query,
        tuple(
            ModelRow(
                name=row.name,
                owner=row.owner.username if row.owner else "",
                updated_at=row.updated_at,
                counts=tuple((stage, row.count_in(stage)) for stage in Stage),
                champion=row.champion.number if row.champion else None,
                champion_metrics=headlines.get(row.pk, ()),
            )
            for row in page
        ),
        next_url,
    )


def _beyond(query: ModelsQuery, column: str) -> Q:
    value, pk = query.after or ("", 0)
    direction = "lt" if query.descending else "gt"
    return Q(**{f"{column}__{direction}": value}) | Q(**{column: value, f"pk__{direction}": pk})
