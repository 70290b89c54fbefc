"""The one way a version changes its stage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from boards import models
from boards.permissions import Right, has_right, require, right_for_transition
from boards.queries.history import NOBODY
from boards.queries.judgement import facts_for
from boards.registry._checks import refusal_documents, store_check
from boards.registry._commit import Actor, ModelWrite, writing_model
from boards.registry.champion import crown
from obeya import names
from obeya.errors import InvalidInput, RefusalKind, TransitionRefused, refuse
from obeya.records import Action, StageTransition
from obeya.stages import Stage
from obeya.transitions import TransitionFacts, TransitionJudgement, judge_transition
from obeya.versions import check_expected


def transition_stage(
    *,
    name: str,
    version: int,
    to_stage: Stage,
    reason: str = "",
    archive_existing: bool = False,
    expected_stage: Stage | None = None,
    expected_revision: int | None = None,
    actor: Actor,
    at: datetime,
) -> StageTransition:
    """Move a version to another stage, if every rule lets it.

    `archive_existing`: the other versions in `to_stage` go to Archived in the same transaction,
    an event each, under one operation id. `expected_stage`, `expected_revision`: what the actor
    was looking at. `at`: when it happened; no event is earlier than the one before it.

    A move that policy or approvals refuse leaves one event with its stored check; one that
    anything else refuses leaves nothing.

    Raises:
        NotAllowed (403): the actor may not make this move.
        NotFound (404): no such model or version.
        InvalidInput (400): no such stage, or the site asks for a reason and there is none.
        Conflict (409): the version is no longer as expected.
        TransitionRefused (422): carries every refusal; `InvalidTransition` by the workflow.
    """
    _require_some_right(actor, to_stage)
    to_stage, reason = Stage.parse(to_stage), names.reason(reason)
    if settings.OBEYA_REQUIRE_REASON and not reason:
        raise InvalidInput("Say why: this site asks for a reason.", field="reason")
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        require(actor.user, right_for_transition(Stage(row.stage), to_stage))
        check_expected(
            f"{write.model.name} v{row.number}",
            stage=Stage(row.stage),
            revision=row.revision,
            expected_stage=expected_stage,
            expected_revision=expected_revision,
        )
        facts, policy_revision = facts_for(row, to_stage)
        judgement = judge_transition(facts)
        check = _store_check(write, row, facts, policy_revision, judgement)
        if judgement.allowed:
            return _move(write, row, judgement, check, reason, archive_existing=archive_existing)
        refused = _refuse(write, row, judgement, check, reason)
    raise refused


def _require_some_right(actor: Actor, to_stage: Stage) -> None:
    """Refuse strangers before anything is read, so that they learn nothing."""
    if actor.user is not None and not has_right(actor.user, Right.PROMOTE):
        require(actor.user, right_for_transition(None, to_stage))


def _store_check(
    write: ModelWrite,
    row: models.ModelVersion,
    facts: TransitionFacts,
    policy_revision: models.PolicyRevision | None,
    judgement: TransitionJudgement,
) -> models.PolicyCheck | None:
    """Keep the verdict where a policy gave one and the workflow did not refuse before it."""
    verdict = judgement.verdict
    if verdict is None or not verdict.has_policy or judgement.refused_by(RefusalKind.WORKFLOW):
        return None
    return store_check(
        row,
        facts,
        policy_revision,
        verdict,
        made_by=write.actor.user,
        at=write.at,
        allowed=judgement.allowed,
        refusals=judgement.refusals,
    )


def _refuse(
    write: ModelWrite,
    row: models.ModelVersion,
    judgement: TransitionJudgement,
    check: models.PolicyCheck | None,
    reason: str,
) -> TransitionRefused:
    if check is not None:
        write.record(
            Action.TRANSITION_REFUSED,
            version=row,
            from_stage=judgement.from_stage,
            to_stage=judgement.to_stage,
            data={"check": str(check.uid), "refusals": refusal_documents(judgement.refusals)},
            texts={"reason": reason},
        )
    return refuse(
        judgement.refusals,
        from_stage=judgement.from_stage,
        to_stage=judgement.to_stage,
        verdict=judgement.verdict,
        check_id=str(check.uid) if check else None,
    )


def _move(
    write: ModelWrite,
    row: models.ModelVersion,
    judgement: TransitionJudgement,
    check: models.PolicyCheck | None,
    reason: str,
    *,
    archive_existing: bool,
) -> StageTransition:
    to_stage = judgement.to_stage
    operation = uuid.uuid4()
    archived = _archive_others(write, row, to_stage, operation) if archive_existing else ()
    data = {"check": str(check.uid)} if check else {}
    _enter(write, row, to_stage, operation, data, reason)
    crown(write, entered=row if to_stage is Stage.PRODUCTION else None)
    return StageTransition(
        write.model.name,
        row.number,
        judgement.from_stage,
        to_stage,
        write.actor.user.username if write.actor.user else NOBODY,
        write.at,
        str(operation),
        reason,
        archived,
    )


def _archive_others(
    write: ModelWrite, row: models.ModelVersion, stage: Stage, operation: uuid.UUID
) -> tuple[int, ...]:
    if stage is Stage.ARCHIVED:
        return ()
    others = models.ModelVersion.objects.filter(
        model=write.model, stage=stage.value, deleted_at=None
    ).exclude(pk=row.pk)
    archived = []
    for other in others.order_by("number"):
        data = {"replaced_by": row.number}
        _enter(write, other, Stage.ARCHIVED, operation, data, "")
        archived.append(other.number)
    return tuple(archived)


def _enter(
    write: ModelWrite,
    row: models.ModelVersion,
    to_stage: Stage,
    operation: uuid.UUID,
    data: Mapping[str, object],
    reason: str,
) -> None:
    from_stage = Stage(row.stage)
    write.update_version(row, stage=to_stage.value, stage_entered_at=write.at)
    write.count(from_stage, -1)
    write.count(to_stage, 1)
    write.record(
        Action.STAGE_TRANSITIONED,
        version=row,
        from_stage=from_stage,
        to_stage=to_stage,
        operation=operation,
        data=data,
        texts={"reason": reason},
    )
