"""Writes to waivers: grant and revoke."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.queries.facts.policies_in_force import policy_in_force
from boards.queries.facts.waivers import waiver_record
from boards.registry.commit import writing_model
from obeya import names
from obeya.errors import AlreadyClosed, NotFound
from obeya.policy import waivers
from obeya.records import Action
from obeya.stages import Stage
from obeya.transitions.versions import next_stage


def waive(
    *,
    name: str,
    version: int,
    requirements: Sequence[str],
    reason: str,
    expires_at: datetime,
    to_stage: Stage | None = None,
    actor: Actor,
    at: datetime,
) -> models.Waiver:
    """Waive requirements of one version's move to `to_stage` (None: the next stage).

    Raises:
        NotAllowed: the actor does not have the waive permission.
        InvalidInput: the policy in force has no such requirement, there is no reason, or the expiry
            is not in the future.
    """
    actor.require(Permission.WAIVE, name)
    wanted = None if to_stage is None else Stage.parse(to_stage)
    reason = names.required_reason(reason, to="waive a requirement")
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        stage = wanted or next_stage(Stage(row.stage))
        found = policy_in_force(write.model, stage)
        lines = waivers.waivable(
            found.policy.evidence_requirements if found else None,
            Stage(row.stage),
            stage,
            requirements,
        )
        waiver = models.Waiver.objects.create(
            version=row,
            stage=stage.value,
            requirements=list(lines),
            reason=reason,
            granted_by=actor.user,
            granted_at=write.at,
            expires_at=waivers.expiry(expires_at, write.at),
        )
        write.record(
            Action.WAIVER_GRANTED,
            version=row,
            to_stage=stage,
            data=waiver_record(waiver).to_document(),
            texts={"reason": reason},
        )
        return waiver


def revoke_waiver(*, uid: uuid.UUID, reason: str = "", actor: Actor, at: datetime) -> models.Waiver:
    """Revoke a waiver before it expires. A version that it let pass is not moved back.

    Raises:
        NotAllowed: the actor does not have the waive permission.
        NotFound: there is no such waiver.
        AlreadyClosed: it was revoked or has expired already.
    """
    found = models.Waiver.objects.filter(uid=uid).select_related("version__model").first()
    actor.require_anywhere(Permission.WAIVE)
    reason = names.reason(reason)
    if (
        found is None
        or not actor.reaches(found.version.model.name)
        or found.version.model.deleted_at
        or found.version.deleted_at
    ):
        raise NotFound("There is no such waiver.", what="waiver")
    actor.require(Permission.WAIVE, found.version.model.name)
    with writing_model(found.version.model.name, actor=actor, at=at) as write:
        waiver = models.Waiver.objects.select_related("version__model", "granted_by").get(uid=uid)
        if not waiver_record(waiver).is_active(write.at):
            raise AlreadyClosed("This waiver is already revoked or expired.")
        waiver.revoked_at, waiver.revoked_by = write.at, actor.user
        waiver.save(update_fields=["revoked_at", "revoked_by"])
        write.record(
            Action.WAIVER_REVOKED,
            version=waiver.version,
            to_stage=Stage(waiver.stage),
            data={"waiver": str(waiver.uid)},
            texts={"reason": reason},
        )
        return waiver
