"""The WIP limits with the counts that they apply to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q, Sum

from boards import models
from boards.queries.search.board_filter import BoardFilter
from obeya.stages import Stage
from obeya.transitions.limits import LimitMode, WipLimit

LIMITED = tuple(stage for stage in Stage if stage is not Stage.ARCHIVED)


@dataclass(frozen=True, slots=True)
class StageLimit:
    """A WIP limit and its current count; `model` is None for the limit of the whole registry."""

    limit: WipLimit
    model: str | None
    count: int

    @property
    def is_full(self) -> bool:
        """Whether no further version fits."""
        return self.count >= self.limit.limit

    @property
    def beyond(self) -> int:
        """The number of versions beyond the limit."""
        return max(0, self.count - self.limit.limit)

    @property
    def blocks(self) -> bool:
        """Whether a full stage refuses a move, instead of a warning."""
        return self.limit.mode is LimitMode.BLOCK

    @property
    def sentence(self) -> str:
        """The limit in words: its scope, its number, and what happens when the stage is full."""
        scope = self.model if self.model is not None else "All models"
        when_full = "refused" if self.blocks else "allowed with a warning"
        return (
            f"{scope}: at most {self.limit.limit:,} in {self.limit.stage.label} "
            f"({self.count:,} now). When full, moves are {when_full}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLimits:
    """One stage in the list of limits.

    `count` is its number of versions, of the model or of the whole registry; `own` is the limit
    that the list shows, `site` is that of the whole registry in the list of a model.
    """

    stage: Stage
    count: int
    own: StageLimit | None
    site: StageLimit | None


@dataclass(frozen=True, slots=True)
class LimitsPanel:
    """The limits of one model, or (`model` None) of the whole registry, one row for each stage."""

    model: str | None
    rows: tuple[StageLimits, ...]


def wip_limits(model: models.RegisteredModel | None) -> list[WipLimit]:
    """Return the limits of a model, or (None) of the whole registry, by stage; one statement."""
    rows = models.WipLimit.objects.filter(model=model)
    found = [WipLimit(Stage(row.stage), row.limit, LimitMode(row.mode)) for row in rows]
    return sorted(found, key=lambda limit: limit.stage.position)


def limits_panel(model: models.RegisteredModel | None = None) -> LimitsPanel:
    """Return the limits of a model or of the whole registry; two statements."""
    wanted = Q(model=None) if model is None else Q(model=None) | Q(model=model)
    found = {
        (row.model_id is None, row.stage): row for row in models.WipLimit.objects.filter(wanted)
    }
    counts = _site_counts([stage.value for stage in LIMITED])

    def limit_of(stage: Stage, of: models.RegisteredModel | None) -> StageLimit | None:
        row = found.get((of is None, stage.value))
        count = of.count_in(stage) if of else counts[stage.value]
        return _limit(row, of.name if of else None, count) if row else None

    return LimitsPanel(
        model.name if model else None,
        tuple(
            StageLimits(
                stage=stage,
                count=model.count_in(stage) if model else counts[stage.value],
                own=limit_of(stage, model),
                site=limit_of(stage, None) if model else None,
            )
            for stage in LIMITED
        ),
    )


def column_limits(board_filter: BoardFilter) -> Mapping[Stage, tuple[StageLimit, ...]]:
    """Return the limits for the board's columns: those of the filter's model, then the global ones.

    One statement, and one more if there are limits of the whole registry.
    """
    wanted = Q(model=None)
    if board_filter.model:
        wanted |= Q(model__name=board_filter.model, model__deleted_at=None)
    rows = list(models.WipLimit.objects.filter(wanted).select_related("model"))
    counts = _site_counts([row.stage for row in rows if row.model is None])
    found: dict[Stage, tuple[StageLimit, ...]] = dict.fromkeys(Stage, ())
    for row in sorted(rows, key=lambda row: row.model is None):
        stage = Stage(row.stage)
        count = row.model.count_in(stage) if row.model else counts[row.stage]
        limit = _limit(row, row.model.name if row.model else None, count)
        found[stage] = (*found[stage], limit)
    return found


def _limit(row: models.WipLimit, model: str | None, count: int) -> StageLimit:
    return StageLimit(WipLimit(Stage(row.stage), row.limit, LimitMode(row.mode)), model, count)


def _site_counts(stages: list[str]) -> dict[str, int]:
    if not stages:
        return {}
    found = models.RegisteredModel.objects.filter(deleted_at=None).aggregate(
        **{stage: Sum(f"{stage}_count") for stage in stages}
    )
    return {stage: found[stage] or 0 for stage in stages}
