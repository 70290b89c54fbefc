"""Which version a rollback would put back."""

from __future__ import annotations

from collections.abc import Iterator

from boards import models
from obeya.errors import InvalidInput
from obeya.records import Action
from obeya.rollback import Departure, rollback_target
from obeya.stages import Stage


def departures_of(model: models.RegisteredModel) -> Iterator[Departure]:
    """Every leaving of Production, the last first; read as far as it is asked for."""
    left = (
        models.StageTransition.objects.filter(model=model, from_stage=Stage.PRODUCTION.value)
        .order_by("-sequence")
        .values_list("version__number", "action")
    )
    for number, action in left.iterator(chunk_size=200):
        yield Departure(number, action == Action.VERSION_ROLLED_BACK.value)


def rollback_candidate(model: models.RegisteredModel) -> int | None:
    """The number of the version that a rollback would put back; None where it must be named."""
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
