"""Rollback: put the last good version back into Production, in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.queries.facts.rollback import departures_of
from boards.registry.commit import ModelWrite, writing_model
from boards.registry.transitions.moves import keep_check, make_move, read_facts
from obeya import names
from obeya.records import Action, StageTransition
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.transitions.judge import judge_rollback
from obeya.transitions.rollback import rollback_target


def rollback(
    *,
    name: str,
    to_version: int | None = None,
    reason: str,
    expected_production: Collection[int] | None = None,
    actor: Actor,
    at: datetime,
) -> StageTransition:
    """Put the last good version (or `to_version`) back into Production and archive the rest.

    `obeya.transitions.rollback.rollback_target` chooses that version. Policies and WIP limits are
    checked and stored with the check, but block nothing. All moves share one operation id.
    `expected_production`: the versions that the actor saw in Production, which would be archived.

    Raises:
        NotAllowed: the actor does not have the promote permission.
        NotFound: there is no such model or version.
        Conflict: other versions are in Production than expected.
        InvalidInput: no version qualifies, `to_version` is in Production or never was, or there is
            no reason.
    """
    actor.require(Permission.PROMOTE, name)
    reason = names.required_reason(reason, to="roll back")
    with writing_model(name, actor=actor, at=at) as write:
        _check_production(write, expected_production)
        if to_version is not None:
            write.version(to_version)
        return roll_back(write, to_version, reason)


def roll_back(write: ModelWrite, to_version: int | None, reason: str) -> StageTransition:
    """Roll the locked model back, on behalf of the write's actor."""
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


def _check_production(write: ModelWrite, expected: Collection[int] | None) -> None:
    if expected is None:
        return
    there = list(
        models.ModelVersion.objects.filter(
            model=write.model, stage=Stage.PRODUCTION.value, deleted_at=None
        )
        .order_by("number")
        .values_list("number", "revision")
    )
    if {number for number, _ in there} == set(expected):
        return
    named = ", ".join(f"v{number}" for number, _ in there) or "no version"
    raise Conflict(
        f"Production of {write.model.name} was changed in the meantime. Now there: {named}.",
        stage=Stage.PRODUCTION,
        revision=max((revision for _, revision in there), default=0),
    )
