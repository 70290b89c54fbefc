"""Transitions and rollbacks in memory. The caller holds the registry's lock."""

from __future__ import annotations

from obeya import names
from obeya.errors import RefusalKind
from obeya.memory.rows import moves_of
from obeya.memory.store import MemoryStore
from obeya.records import Action, StageTransition
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.rollback import Departure, rollback_target
from obeya.transitions.versions import check_expected


def transition_stage(
    store: MemoryStore, name: str, version: int, intent: TransitionIntent
) -> StageTransition:
    """Move a version, or raise every refusal."""
    to_stage, reason = Stage.parse(intent.to_stage or ""), names.reason(intent.reason)
    model, found = store.find(name, version)
    check_expected(
        str(found),
        stage=found.stage,
        revision=found.revision,
        expected_stage=intent.expected_stage,
        expected_revision=intent.expected_revision,
    )
    judgement = store.judge(model, found, to_stage, archive_existing=intent.archive_existing)
    if not judgement.refused_by(RefusalKind.WORKFLOW):
        store.expire_requests(model)
    if not judgement.allowed:
        raise store.refused(model, found, judgement, reason)
    store.enter(model, found, to_stage, reason, archive_existing=intent.archive_existing)
    return moves_of(model)[-1]


def rollback(store: MemoryStore, name: str, to_version: int | None, reason: str) -> StageTransition:
    """Restore the last good version (or `to_version`) to Production."""
    reason = names.required_reason(reason, to="roll back")
    model = store.model(name)
    if to_version is not None:
        store.find(name, to_version)
    departures = [
        Departure(event.version, event.action is Action.VERSION_ROLLED_BACK)
        for event in reversed(model.chain.events)
        if event.from_stage is Stage.PRODUCTION
        and event.action in (Action.STAGE_TRANSITIONED, Action.VERSION_ROLLED_BACK)
        and event.version is not None
    ]
    stages = {number: version.stage for number, version in model.versions.items()}
    target = rollback_target(model.name, stages, departures, to_version)
    store.enter(
        model,
        model.versions[target],
        Stage.PRODUCTION,
        reason,
        archive_existing=True,
        action=Action.VERSION_ROLLED_BACK,
    )
    return moves_of(model)[-1]
