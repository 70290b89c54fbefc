"""The champion of a model."""

from __future__ import annotations

from django.db.models import Max, Q

from boards.models import ModelVersion
from boards.registry.commit import ModelWrite
from obeya.records import Action
from obeya.stages import Stage

# The position in the chain of a version's last entry: two can have entered at the same time.
_LAST_ENTRY = Max(
    "events__sequence",
    filter=Q(
        events__action=Action.STAGE_TRANSITIONED.value,
        events__to_stage=Stage.PRODUCTION.value,
    ),
)


def update_champion(write: ModelWrite, *, entered: ModelVersion | None = None) -> None:
    """Set the model's champion to the version that entered Production last.

    `entered` is the version that this write moved into Production, None if it moved none.
    """
    if entered is None:
        in_production = ModelVersion.objects.filter(
            model=write.model, stage=Stage.PRODUCTION.value, deleted_at=None
        )
        champion_id = write.model.champion_id
        if champion_id is not None and in_production.filter(pk=champion_id).exists():
            return
        entered = in_production.annotate(entered_as=_LAST_ENTRY).order_by("-entered_as").first()
    champion_id = entered.pk if entered else None
    if write.model.champion_id != champion_id:
        write.change(champion_id=champion_id)
