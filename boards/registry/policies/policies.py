"""Writes to promotion policies. A revision is never changed once it was created."""

from __future__ import annotations

from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.registry.commit import ChainWrite, writing_model, writing_site
from obeya import names
from obeya.errors import InvalidInput
from obeya.policy.policy import PromotionPolicy
from obeya.records import Action
from obeya.refusals import Conflict, policy_not_found
from obeya.stages import Stage


def set_policy(
    *,
    policy: PromotionPolicy,
    name: str | None = None,
    expected_revision: int | None = None,
    actor: Actor,
    at: datetime,
) -> models.PolicyRevision:
    """Put `policy` in force for its stage, as a model policy or (None) as the default policy.

    `expected_revision` is the one that the actor saw, 0 if there was none. Returns the revision in
    force. A policy with the same requirements creates no new revision.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
        InvalidInput: the policy has no stage.
        Conflict: another revision was created since.
    """
    actor.require(Permission.EDIT_POLICY, name)
    if policy.stage is None:
        raise InvalidInput("A policy needs a target stage to be stored.", field="stage")
    if name is None:
        with writing_site(actor=actor, at=at) as write:
            return _revise(write, None, policy, policy.stage, expected_revision)
    with writing_model(name, actor=actor, at=at) as model_write:
        return _revise(model_write, model_write.model, policy, policy.stage, expected_revision)


def remove_policy(
    *, stage: Stage, name: str | None = None, reason: str = "", actor: Actor, at: datetime
) -> None:
    """Remove the policy of a stage, of one model or (None) the default policy.

    The default policy then applies to the model. Revisions are kept.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
        NotFound: there is no such model, or no policy in force.
    """
    actor.require(Permission.EDIT_POLICY, name)
    stage, reason = Stage.parse(stage), names.reason(reason)
    if name is None:
        with writing_site(actor=actor, at=at) as write:
            _remove(write, None, stage, reason)
        return
    with writing_model(name, actor=actor, at=at) as model_write:
        _remove(model_write, model_write.model, stage, reason)


def _remove(
    write: ChainWrite, model: models.RegisteredModel | None, stage: Stage, reason: str
) -> None:
    present = models.PolicyRevision.objects.filter(
        model=model, stage=stage.value, superseded_at=None
    ).first()
    if present is None:
        raise policy_not_found(stage, model.name if model else None)
    present.superseded_at = write.at
    present.save(update_fields=["superseded_at"])
    write.record(
        Action.POLICY_REMOVED,
        to_stage=stage,
        data={"revision": present.number},
        texts={"reason": reason},
    )


def _revise(
    write: ChainWrite,
    model: models.RegisteredModel | None,
    policy: PromotionPolicy,
    stage: Stage,
    expected_revision: int | None,
) -> models.PolicyRevision:
    revisions = models.PolicyRevision.objects.filter(model=model, stage=stage.value)
    last = revisions.order_by("-number").first()
    present = last if last and last.superseded_at is None else None
    number = present.number if present else 0
    if expected_revision not in (None, number):
        raise Conflict(
            f"The policy was changed in the meantime: it is at revision {number}, "
            f"not {expected_revision}.",
            stage=stage,
            revision=number,
        )
    if present and PromotionPolicy.from_document(present.document).is_equivalent_to(policy):
        return present
    revisions.filter(superseded_at=None).update(superseded_at=write.at)
    made = models.PolicyRevision.objects.create(
        model=model,
        stage=stage.value,
        # The numbers of removed policies are not used again.
        number=last.number + 1 if last else 1,
        document=policy.to_document(),
        created_at=write.at,
        created_by=write.actor.user,
    )
    write.record(
        Action.POLICY_SET,
        to_stage=stage,
        data={"revision": made.number, "policy": policy.to_document()},
    )
    return made
