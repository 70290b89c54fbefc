"""The raised alerts (andons)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Window

from boards import models
from obeya.policy.bounds import Comparison
from obeya.transitions.guardrails import Guardrail, LiveReport

SHOWN = 3
LISTED_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedAndon:
    """A breached guardrail: version and metric, since when, and one sentence."""

    pk: int
    model: str
    version: int
    metric: str
    raised_at: datetime
    sentence: str


@dataclass(frozen=True, slots=True)
class Andons:
    """The raised alerts, newest first: `shown` immediately, `folded` on demand.

    `count` is the total; `LISTED_MAX` are listed.
    """

    count: int
    shown: tuple[RaisedAndon, ...]
    folded: tuple[RaisedAndon, ...]

    @property
    def unlisted(self) -> int:
        """The number of alerts that are neither shown nor folded."""
        return self.count - len(self.shown) - len(self.folded)


def raised_andons(model: models.RegisteredModel | None = None) -> Andons:
    """Return the raised alerts of one model, or (None) of all; one statement."""
    rows = models.Andon.objects.filter(cleared_at=None)
    if model is not None:
        rows = rows.filter(version__model=model)
    found = list(
        rows.annotate(total=Window(Count("pk")))
        .select_related("version", "version__model")
        .only(
            "metric",
            "comparison",
            "bound",
            "value",
            "raised_at",
            "version__number",
            "version__model__name",
        )
        .order_by("-raised_at", "-pk")[:LISTED_MAX]
    )
    andons = tuple(_andon(row) for row in found)
    return Andons(found[0].total if found else 0, andons[:SHOWN], andons[SHOWN:])


def _andon(row: models.Andon) -> RaisedAndon:
    name, number = row.version.model.name, row.version.number
    guardrail = Guardrail(row.metric, Comparison(row.comparison), row.bound)
    report = LiveReport(
        model=name,
        version=number,
        metric=row.metric,
        value=row.value,
        reported_at=row.raised_at,
        guardrail=guardrail,
    )
    return RaisedAndon(
        pk=row.pk,
        model=name,
        version=number,
        metric=row.metric,
        raised_at=row.raised_at,
        sentence=report.sentence,
    )
