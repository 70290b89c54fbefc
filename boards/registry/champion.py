"""Which version of a model is its champion."""

from __future__ import annotations

from boards.models import ModelVersion
from boards.registry._commit import ModelWrite
from obeya.stages import Stage


def crown(write: ModelWrite, *, entered: ModelVersion | None = None) -> None:
    """Keep the model's champion the version that entered Production last.

    `entered` is the version that this write brought into Production, None when it brought none.
    """
    if entered is None:
        standing = ModelVersion.objects.filter(
            model=write.model, stage=Stage.PRODUCTION.value, deleted_at=None
        )
        # Two may have entered at the same moment, so the champion is not sought anew while it is
        # there.
        champion_id = write.model.champion_id
        if champion_id is not None and standing.filter(pk=champion_id).exists():
            return
        entered = standing.order_by("-stage_entered_at", "-number").first()
    champion_id = entered.pk if entered else None
    if write.model.champion_id != champion_id:
        write.change(champion_id=champion_id)
