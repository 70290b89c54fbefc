"""The function through which a version changes its stage."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission, permission_for_transition
from boards.registry.commit import ModelWrite, writing_model
from boards.registry.transitions.checks import check_reference
from boards.registry.transitions.moves import keep_check, make_move, read_facts
from boards.registry.transitions.open_requests import expire_requests
from obeya import names
from obeya.documents.policy_results import refusal_documents
from obeya.errors import InvalidInput, RefusalKind
from obeya.look_alikes.characters import is_blank
from obeya.records import Action, StageTransition
from obeya.refusals import TransitionRefused, refuse
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.judge import TransitionJudgement, judge_transition
from obeya.transitions.versions import check_expected


def transition_stage(
    *,
    name: str,
    version: int,
    intent: TransitionIntent,
    actor: Actor,
    at: datetime,
) -> StageTransition:
    """Move a version to another stage, if all rules allow it.

    Each version that the intent archives has its event, with the same operation id. `at`: the time
    of the move; no event is earlier than the one before it.

    A promotion stores its check. A move that policy, approvals or a WIP limit refuse stores one
    event with its check; a move that is refused for any other reason stores nothing. A request for
    the same move is completed; a request for another move of the version is withdrawn.

    Raises:
        NotAllowed (403): the actor does not have the permission for this move.
        NotFound (404): there is no such model or version.
        InvalidInput (400): there is no such stage, or a reason is required and there is none.
        Conflict (409): the version is not as expected.
        TransitionRefused (422): contains every refusal; `InvalidTransition` if the workflow
            refuses.
    """
    _require_some_permission(actor, intent.to_stage, name)
    to_stage, reason = Stage.parse(intent.to_stage or ""), names.reason(intent.reason)
    if settings.OBEYA_REQUIRE_REASON and is_blank(reason):
        raise InvalidInput(
            "Enter a reason: this registry requires one for every move.", field="reason"
        )
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        actor.require(permission_for_transition(Stage(row.stage), to_stage), name)
        check_expected(
            f"{write.model.name} v{row.number}",
            stage=Stage(row.stage),
            revision=row.revision,
            expected_stage=intent.expected_stage,
            expected_revision=intent.expected_revision,
        )
        read = read_facts(write, row, to_stage, archive_existing=intent.archive_existing)
        judgement = judge_transition(read.facts)
        check = keep_check(write, row, read, judgement)
        if not judgement.refused_by(RefusalKind.WORKFLOW):
            expire_requests(write)
        if judgement.allowed:
            return make_move(
                write, row, to_stage, check, reason, archive_existing=intent.archive_existing
            )
        refused = _refuse(write, row, judgement, check, reason)
    raise refused


def _require_some_permission(actor: Actor, to_stage: Stage | None, name: str) -> None:
    """Refuse unauthorized actors before anything is read, so that they learn nothing."""
    actor.require_one((permission_for_transition(None, to_stage), Permission.PROMOTE), name)


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
            data={
                **check_reference(check),
                "refusals": refusal_documents(judgement.refusals),
            },
            texts={"reason": reason},
        )
    return refuse(
        judgement.refusals,
        from_stage=judgement.from_stage,
        to_stage=judgement.to_stage,
        policy_result=judgement.policy_result,
        check_id=str(check.uid) if check else None,
    )
