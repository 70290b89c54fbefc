"""The champion of a model."""

from __future__ import annotations

from boards.models import ModelVersion
from boards.queries.facts.governed_aliases import last_entered
from boards.registry.commit import ModelWrite
from obeya.stages import Stage


def update_champion(write: ModelWrite, *, entered: ModelVersion | None = None) -> None:
    """Set the model's champion to the version that entered Production last.

    `entered` is the version that this write moved into Production, None if it moved none.
    """
    if entered is None:
        champion_id = write.model.champion_id
        in_production = ModelVersion.objects.filter(
            model=write.model, stage=Stage.PRODUCTION.value, deleted_at=None
        )
        if champion_id is not None and in_production.filter(pk=champion_id).exists():
            return
        entered = last_entered(write.model, Stage.PRODUCTION)
    champion_id = entered.pk if entered else None
    if write.model.champion_id != champion_id:
        write.change(champion_id=champion_id)
