"""Writes to WIP limits."""

from __future__ import annotations

from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.registry.commit import ModelWrite, writing_owner
from obeya.errors import NotFound
from obeya.records import Action
from obeya.stages import Stage
from obeya.transitions.limits import WipLimit, limited_stage


def set_wip_limit(*, limit: WipLimit, name: str | None = None, actor: Actor, at: datetime) -> None:
    """Limit the number of versions in a stage, of one model or (None) of the whole registry.

    The same limit again writes nothing. Versions beyond the limit stay where they are.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
    """
    actor.require(Permission.EDIT_POLICY, name)
    values = {"limit": limit.limit, "mode": limit.mode.value}
    with writing_owner(name, actor=actor, at=at) as write:
        model = write.model if isinstance(write, ModelWrite) else None
        present = models.WipLimit.objects.filter(model=model, stage=limit.stage.value)
        if present.values(*values).first() == values:
            return
        models.WipLimit.objects.update_or_create(
            model=model, stage=limit.stage.value, defaults=values
        )
        write.record(Action.WIP_LIMIT_SET, to_stage=limit.stage, data=values)


def remove_wip_limit(*, stage: Stage, name: str | None = None, actor: Actor, at: datetime) -> None:
    """Remove a WIP limit.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
        NotFound: the stage has no limit.
    """
    actor.require(Permission.EDIT_POLICY, name)
    stage = limited_stage(stage)
    with writing_owner(name, actor=actor, at=at) as write:
        model = write.model if isinstance(write, ModelWrite) else None
        gone, _ = models.WipLimit.objects.filter(model=model, stage=stage.value).delete()
        if not gone:
            raise NotFound(f"{stage.label} has no WIP limit.", what="wip_limit")
        write.record(Action.WIP_LIMIT_REMOVED, to_stage=stage)
