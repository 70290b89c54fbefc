"""The comparison page: versions side by side, one of them the baseline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import Q

from boards import models
from boards.queries.facts.records import definitions, find_model, version_records
from boards.queries.paging.whole_number import whole_number
from obeya import names
from obeya.comparison import BaselineComparison, MetricRow, VersionComparison, compare_to_baseline
from obeya.errors import InvalidInput, version_not_found
from obeya.records import ModelVersion
from obeya.values import version_number

VERSIONS_MAX = 6
# The maximum number of suggested versions of the compared models, and of other champions.
OFFERS_MAX = 60
_AS_SHOWN = re.compile(r"(.+)\s+v([0-9]+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A version as it is written in URLs: ``resnet50:17``."""

    model: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``NAME:NUMBER``, split at the last colon, or ``NAME vNUMBER`` as pages write it.

        Raises:
            InvalidInput: it has neither form.
        """
        text = text.strip()
        model, colon, number = text.rpartition(":")
        if not colon and (shown := _AS_SHOWN.match(text)):
            model, number = shown.groups()
        model, number = model.strip(), number.strip().removeprefix("v")
        if not (model and number.isascii() and number.isdigit()):
            raise InvalidInput(
                f"“{text[:64]}” is not a version. Write the model and the number, such as "
                "resnet50:17.",
                field="v",
            )
        return cls(names.stored_form(model) or model, version_number(whole_number(number)))

    def __str__(self) -> str:
        return f"{self.model}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version of the comparison.

    `place` is its index in the page's refs; `comparison` is None for the baseline.
    """

    place: int
    version: ModelVersion
    is_champion: bool
    comparison: VersionComparison | None

    @property
    def is_baseline(self) -> bool:
        """Whether the others are compared with this one."""
        return self.comparison is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage:
    """One to six versions, the baseline first, and the comparison of each other one with it.

    `refs` are in the order of the URL; if `champion_was_added`, the first of them is the champion
    that the request did not list.
    """

    refs: tuple[VersionRef, ...]
    baseline: int
    champion_was_added: bool
    sides: tuple[Side, ...]
    comparison: BaselineComparison

    @property
    def challengers(self) -> tuple[Side, ...]:
        """All versions except the baseline."""
        return self.sides[1:]

    @property
    def versions(self) -> tuple[ModelVersion, ...]:
        """The versions, the baseline first."""
        return tuple(side.version for side in self.sides)

    @property
    def different(self) -> tuple[MetricRow, ...]:
        """The metrics in which at least one version differs from the baseline."""
        return tuple(row for row in self.comparison.rows if row.differs)


def compare_page(refs: Sequence[VersionRef], baseline: int | None = None) -> ComparePage:
    """Compare versions with one of them; five statements for any number of versions.

    `refs` are one to six different versions. `baseline` is an index in them. None means the
    champion of the first one's model: if it is not among them, it is added as the first, up to the
    maximum. Without a champion, None means the first.

    Raises:
        NotFound: there is no such model or version.
    """
    rows = _rows(refs)
    champion = rows[0].model.champion
    ids = [row.pk for row in rows]
    was_added = False
    if baseline is None and champion is not None:
        if champion.pk in ids:
            baseline = ids.index(champion.pk)
        elif len(rows) < VERSIONS_MAX:
            champion.model = rows[0].model
            rows.insert(0, champion)
            baseline, was_added = 0, True
    place = baseline or 0
    order = [place, *(other for other in range(len(rows)) if other != place)]
    records = version_records([rows[other] for other in order])
    sides = [(str(record), record.measurements) for record in records]
    comparison = compare_to_baseline(sides[0], sides[1:], definitions())
    return ComparePage(
        refs=tuple(VersionRef(row.model.name, row.number) for row in rows),
        baseline=place,
        champion_was_added=was_added,
        sides=tuple(
            Side(
                place=other,
                version=record,
                is_champion=rows[other].pk == rows[other].model.champion_id,
                comparison=held,
            )
            for other, record, held in zip(
                order, records, (None, *comparison.comparisons), strict=True
            )
        ),
        comparison=comparison,
    )


def version_offers(refs: Sequence[VersionRef]) -> tuple[VersionRef, ...]:
    """Return other versions of the same models, and other models' champions; two statements."""
    mine = models.ModelVersion.objects.filter(
        model__name__in={names.stored_form(ref.model) for ref in refs},
        deleted_at=None,
        model__deleted_at=None,
    ).order_by("-number")
    champions = (
        models.RegisteredModel.objects.filter(deleted_at=None, champion__isnull=False)
        .order_by("-updated_at", "-pk")
        .values_list("name", "champion__number")
    )
    found = [
        VersionRef(name, number)
        for rows in (mine.values_list("model__name", "number"), champions)
        for name, number in rows[:OFFERS_MAX]
    ]
    return tuple(ref for ref in dict.fromkeys(found) if ref not in refs)


def _rows(refs: Sequence[VersionRef]) -> list[models.ModelVersion]:
    """Return the rows of the versions in the order given; one statement unless one is missing."""
    wanted = [(names.stored_form(ref.model), ref.number) for ref in refs]
    condition = Q(pk__in=())
    for name, number in wanted:
        condition |= Q(model__name=name, number=number)
    found = {
        (row.model.name, row.number): row
        for row in models.ModelVersion.objects.filter(
            condition, deleted_at=None, model__deleted_at=None
        ).select_related("owner", "model__champion__owner")
    }
    for ref, key in zip(refs, wanted, strict=True):
        if key not in found:
            raise version_not_found(find_model(ref.model).name, ref.number)
    return [found[key] for key in wanted]
