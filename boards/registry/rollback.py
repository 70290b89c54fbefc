"""Rollback: the last good version back into Production, in one transaction."""

from __future__ import annotations

from datetime import datetime

from boards import models
from boards.permissions import Right, require
from boards.queries.rollback import departures_of
from boards.registry._commit import Actor, ModelWrite, writing_model
from boards.registry._moves import keep_check, make_move, read_facts
from obeya import names
from obeya.records import Action, StageTransition
from obeya.rollback import rollback_target
from obeya.stages import Stage
from obeya.transitions import judge_rollback


def rollback(
    *, name: str, to_version: int | None = None, reason: str, actor: Actor, at: datetime
) -> StageTransition:
    """Put the last good version (or `to_version`) back into Production and archive the rest.

    Which one that is: `obeya.rollback.rollback_target`. Policies and WIP limits are checked and
    kept with the check, but block nothing. All moves share one operation id.

    Raises:
        NotAllowed: the actor may not promote.
        NotFound: no such model or version.
        InvalidInput: none qualifies, `to_version` is there or never was, or no reason.
    """
    require(actor.user, Right.PROMOTE)
    reason = names.required_reason(reason, to="roll back")
    with writing_model(name, actor=actor, at=at) as write:
        if to_version is not None:
            write.version(to_version)
        return roll_back(write, to_version, reason)


def roll_back(write: ModelWrite, to_version: int | None, reason: str) -> StageTransition:
    """Roll the held model back; whoever the write acts as has done it."""
    stages = {
        number: Stage(stage)
        for number, stage in models.ModelVersion.objects.filter(
            model=write.model, deleted_at=None
        ).values_list("number", "stage")
    }
    target = rollback_target(write.model.name, stages, departures_of(write.model), to_version)
    row = write.version(target)
    read = read_facts(write, row, Stage.PRODUCTION, archive_existing=True)
    judgement = judge_rollback(read.facts)
    return make_move(
        write,
        row,
        Stage.PRODUCTION,
        keep_check(write, row, read, judgement, is_rollback=True),
        reason,
        archive_existing=True,
        action=Action.VERSION_ROLLED_BACK,
    )
