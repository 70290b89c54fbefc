"""The target of a rollback, and the choices of its dialog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from boards import models
from boards.queries.facts.evidence import MoveFacts
from obeya.errors import InvalidInput, Refusal
from obeya.records import Action
from obeya.stages import Stage
from obeya.transitions.judge import judge_rollback
from obeya.transitions.rollback import Departure, rollback_target

CHOICES_MAX = 50


def departures_of(model: models.RegisteredModel) -> Iterator[Departure]:
    """Yield every departure from Production, the last first; rows are read as they are consumed."""
    left = (
        models.StageTransition.objects.filter(model=model, from_stage=Stage.PRODUCTION.value)
        .order_by("-sequence")
        .values_list("version__number", "action")
    )
    for number, action in left.iterator(chunk_size=200):
        yield Departure(number, action == Action.VERSION_ROLLED_BACK.value)


def rollback_candidate(model: models.RegisteredModel) -> int | None:
    """Return the number of the default target of a rollback; None if one must be chosen."""
    stages = {
        number: Stage(stage)
        for number, stage in models.ModelVersion.objects.filter(
            model=model, deleted_at=None
        ).values_list("number", "stage")
    }
    try:
        return rollback_target(model.name, stages, departures_of(model))
    except InvalidInput:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackChoice:
    """A version that was in Production once and can be put back.

    `by_rollback`: a rollback archived it. `warnings` are those of policy and WIP limits; they block
    nothing.
    """

    number: int
    label: str
    stage: Stage
    left_at: datetime
    by_rollback: bool
    warnings: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """The possible rollbacks of a model.

    `candidate` is the default target, None if one must be chosen. `choices` are the possible
    targets, the one that left last first, at most `CHOICES_MAX`; `standing` are the versions in
    Production now, and `standing_pk` the row of one of them.
    """

    model: str
    candidate: int | None
    choices: tuple[RollbackChoice, ...]
    more_choices: bool
    standing: tuple[int, ...]
    standing_pk: int | None

    def choice(self, number: int | None) -> RollbackChoice | None:
        """Return the choice with this number; None if there is none."""
        return next((choice for choice in self.choices if choice.number == number), None)


def rollback_plan(model: models.RegisteredModel) -> RollbackPlan:
    """Return the content of the dialog; a fixed number of statements for any number of versions."""
    left: dict[int, tuple[datetime, bool]] = {}
    departures = []
    for number, action, moment in (
        models.StageTransition.objects.filter(model=model, from_stage=Stage.PRODUCTION.value)
        .order_by("-sequence")
        .values_list("version__number", "action", "occurred_at")
    ):
        by_rollback = action == Action.VERSION_ROLLED_BACK.value
        departures.append(Departure(number, by_rollback))
        left.setdefault(number, (moment, by_rollback))
    rows = {
        row.number: row
        for row in models.ModelVersion.objects.filter(
            Q(stage=Stage.PRODUCTION.value) | Q(number__in=list(left)),
            model=model,
            deleted_at=None,
        ).defer("description")
    }
    for row in rows.values():
        row.model = model
    stages = {number: Stage(row.stage) for number, row in rows.items()}
    standing = sorted(n for n, stage in stages.items() if stage is Stage.PRODUCTION)
    able = [n for n in left if n in rows and stages[n] is not Stage.PRODUCTION]
    try:
        candidate = rollback_target(model.name, stages, departures)
    except InvalidInput:
        candidate = None
    shown = able[:CHOICES_MAX]
    if candidate is not None and candidate not in shown:
        shown.append(candidate)
    facts = MoveFacts([rows[n] for n in shown])
    return RollbackPlan(
        model=model.name,
        candidate=candidate,
        choices=tuple(
            RollbackChoice(
                number=n,
                label=rows[n].label,
                stage=stages[n],
                left_at=left_at,
                by_rollback=by_rollback,
                warnings=judge_rollback(
                    facts.of(rows[n], Stage.PRODUCTION, archive_existing=True)
                ).warnings,
            )
            for n in shown
            for left_at, by_rollback in [left[n]]
        ),
        more_choices=len(able) > len(shown),
        standing=tuple(standing),
        standing_pk=rows[standing[-1]].pk if standing else None,
    )
