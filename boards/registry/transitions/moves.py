"""The steps of a move: judge it, store the check, change the stage, close requests and alerts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from boards import models
from boards.access.actors import display_name
from boards.queries.facts.evidence import MoveFacts, limits_on, named_occupants
from boards.queries.facts.import_marks import was_unchecked
from boards.queries.facts.open_requests import OpenRequest
from boards.registry.commit import ModelWrite
from boards.registry.transitions.alerts import clear_andons
from boards.registry.transitions.aliases import update_aliases
from boards.registry.transitions.champion import update_champion
from boards.registry.transitions.checks import check_reference, store_check
from boards.registry.transitions.open_requests import settle_requests
from obeya.errors import RefusalKind
from obeya.imports import UNCHECKED, imported_unchecked
from obeya.policy.results import not_gated
from obeya.records import Action, Channel, StageTransition
from obeya.stages import Stage
from obeya.transitions.judge import TransitionFacts, TransitionJudgement
from obeya.transitions.limits import LimitMode


@dataclass(frozen=True, slots=True)
class FactsUnderLock:
    """What a move is judged by, read under the lock of the model."""

    facts: TransitionFacts
    policy_revision: models.PolicyRevision | None
    request: OpenRequest | None


def read_facts(
    write: ModelWrite, row: models.ModelVersion, to_stage: Stage, *, archive_existing: bool
) -> FactsUnderLock:
    """Read what a move is judged by.

    A blocking limit of the whole registry locks the site row too.
    """
    limits = limits_on({row.model_id})
    if any(
        limit.model_id is None and limit.stage == to_stage.value and limit.mode == LimitMode.BLOCK
        for limit in limits
    ):
        write.hold_site()
        # The writer that held the lock on the site row before may have changed its limit.
        limits = limits_on({row.model_id})
    source = MoveFacts([row], limits=limits, with_digest=True, at=write.at)
    facts = source.of(row, to_stage, archive_existing=archive_existing)
    return FactsUnderLock(
        named_occupants(row, facts, archive_existing=archive_existing),
        source.policies.row_of(row.model_id, to_stage),
        source.request_of(row, to_stage),
    )


def keep_check(
    write: ModelWrite,
    row: models.ModelVersion,
    read: FactsUnderLock,
    judgement: TransitionJudgement,
    *,
    is_rollback: bool = False,
) -> models.PolicyCheck | None:
    """Store the policy result of every promotion and of every move that is refused.

    Returns None for an allowed move to which no policy can apply, and if the workflow refuses.
    """
    if judgement.refused_by(RefusalKind.WORKFLOW):
        return None
    if judgement.policy_result is None and judgement.allowed:
        return None
    return store_check(
        row,
        read.facts,
        read.policy_revision if judgement.policy_result else None,
        judgement.policy_result or not_gated(judgement.to_stage),
        made_by=write.actor.user,
        at=write.at,
        allowed=judgement.allowed,
        refusals=judgement.refusals,
        warnings=judgement.warnings,
        request=read.request,
        is_rollback=is_rollback,
    )


def make_move(
    write: ModelWrite,
    row: models.ModelVersion,
    to_stage: Stage,
    check: models.PolicyCheck | None,
    reason: str,
    *,
    archive_existing: bool,
    action: Action = Action.STAGE_TRANSITIONED,
    data: Mapping[str, object] | None = None,
    with_aliases: bool = True,
) -> StageTransition:
    """Move a version to a stage and, with `archive_existing`, the others there to Archived.

    Nothing is checked any more. All moves share one operation id. `with_aliases`: the governed
    aliases of the two stages are updated.
    """
    from_stage = Stage(row.stage)
    operation = uuid.uuid4()
    archived = _archive_others(write, row, to_stage, operation, action) if archive_existing else ()
    event_data = {**(check_reference(check) if check else {}), **(data or {})}
    has_passed = check is not None and check.passed and bool(check.verdict["outcomes"])
    _enter(write, row, to_stage, operation, action, event_data, reason, has_passed=has_passed)
    update_champion(write, entered=row if to_stage is Stage.PRODUCTION else None)
    if with_aliases:
        update_aliases(write, {from_stage: [row.number], to_stage: archived}, entered=row)
    return StageTransition(
        model=write.model.name,
        version=row.number,
        from_stage=from_stage,
        to_stage=to_stage,
        actor=display_name(write.actor.user),
        timestamp=write.at,
        operation_id=str(operation),
        reason=reason,
        archived=archived,
        is_rollback=action is Action.VERSION_ROLLED_BACK,
        is_imported=write.actor.channel is Channel.IMPORT,
        imported_unchecked=row.imported_unchecked,
    )


def _archive_others(
    write: ModelWrite,
    row: models.ModelVersion,
    stage: Stage,
    operation: uuid.UUID,
    action: Action,
) -> tuple[int, ...]:
    if stage is Stage.ARCHIVED:
        return ()
    others = models.ModelVersion.objects.filter(
        model=write.model, stage=stage.value, deleted_at=None
    ).exclude(pk=row.pk)
    archived = []
    for other in others.order_by("number"):
        data = {"replaced_by": row.number}
        _enter(write, other, Stage.ARCHIVED, operation, action, data, "")
        archived.append(other.number)
    return tuple(archived)


def _enter(
    write: ModelWrite,
    row: models.ModelVersion,
    to_stage: Stage,
    operation: uuid.UUID,
    action: Action,
    data: Mapping[str, object],
    reason: str,
    *,
    has_passed: bool = False,
) -> None:
    from_stage = Stage(row.stage)
    unchecked = imported_unchecked(
        to_stage,
        is_imported=write.actor.channel is Channel.IMPORT,
        has_passed=has_passed,
        was_unchecked=lambda: row.imported_unchecked if from_stage.is_gated else was_unchecked(row),
    )
    write.update_version(
        row, stage=to_stage.value, stage_entered_at=write.at, imported_unchecked=unchecked
    )
    write.count(from_stage, -1)
    write.count(to_stage, 1)
    write.record(
        action,
        version=row,
        from_stage=from_stage,
        to_stage=to_stage,
        operation=operation,
        data={**data, UNCHECKED: True} if unchecked else data,
        texts={"reason": reason},
    )
    settle_requests(write, row, to_stage)
    if from_stage is Stage.PRODUCTION:
        clear_andons(write, version=row)
