"""Policies, waivers and WIP limits in memory. The caller holds the registry's lock."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from obeya import names
from obeya.errors import InvalidInput, NotFound
from obeya.memory.store import MemoryStore
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult, no_policy
from obeya.policy.waivers import Waiver, expiry, waivable
from obeya.records import Action
from obeya.refusals import policy_not_found
from obeya.stages import Stage
from obeya.transitions.limits import WipLimit, limited_stage
from obeya.transitions.versions import next_stage


def set_policy(store: MemoryStore, policy: PromotionPolicy, name: str | None) -> int:
    """Add a revision, unless the policy in force has the same requirements.

    Returns the number of the revision in force.
    """
    if policy.stage is None:
        raise InvalidInput("A stored policy needs a target stage.", field="stage")
    owner = store.owner(name)
    revisions = owner.policies.revisions.setdefault(policy.stage, [])
    present = owner.policies.in_force(policy.stage)
    if present is None or not present[0].is_equivalent_to(policy):
        revisions.append(policy)
        owner.policies.removed.discard(policy.stage)
        data = {"revision": len(revisions), "policy": policy.to_document()}
        store.append(owner.chain, Action.POLICY_SET, to_stage=policy.stage, data=data)
    return len(revisions)


def remove_policy(store: MemoryStore, stage: Stage, name: str | None, reason: str) -> None:
    """Remove the policy of a stage; its revisions are kept."""
    stage, reason = Stage.parse(stage), names.reason(reason)
    owner = store.owner(name)
    present = owner.policies.in_force(stage)
    if present is None:
        raise policy_not_found(stage, None if name is None else names.stored_form(name))
    owner.policies.removed.add(stage)
    store.append(
        owner.chain,
        Action.POLICY_REMOVED,
        to_stage=stage,
        data={"revision": present[1]},
        texts={"reason": reason},
    )


def check_promotion_policy(
    store: MemoryStore,
    name: str,
    version: int,
    policy: PromotionPolicy | None,
    to_stage: Stage | None,
) -> PolicyResult:
    """Check a version against `policy`, else that of `to_stage`, else that of its next stage."""
    wanted = None if to_stage is None else Stage.parse(to_stage)
    model, found = store.find(name, version)
    stage = wanted or found.stage.next
    revision = None
    if policy is None and stage is not None:
        policy, revision = store.policy_of(model, stage)
    if policy is None:
        return no_policy(stage)
    facts = store.facts(model, found, stage or found.stage)
    return replace(facts, policy=policy, policy_revision=revision).check_policy()


def waive(
    store: MemoryStore,
    name: str,
    version: int,
    requirements: Sequence[str],
    *,
    reason: str,
    expires_at: datetime,
    to_stage: Stage | None,
) -> Waiver:
    """Waive requirements of the policy in force for one version and stage."""
    wanted = None if to_stage is None else Stage.parse(to_stage)
    reason = names.required_reason(reason, to="waive a requirement")
    model, found = store.find(name, version)
    stage = wanted or next_stage(found.stage)
    policy, _ = store.policy_of(model, stage)
    required = policy.evidence_requirements if policy else None
    lines = waivable(required, found.stage, stage, requirements)
    now = store.now(model.chain)
    waiver = Waiver(
        id=str(uuid.uuid4()),
        model=model.name,
        version=found.version,
        stage=stage,
        requirements=lines,
        reason=reason,
        granted_by=store.actor,
        granted_at=now,
        expires_at=expiry(expires_at, now),
    )
    model.waivers.append(waiver)
    store.append(
        model.chain,
        Action.WAIVER_GRANTED,
        version=found.version,
        to_stage=stage,
        data=waiver.to_document(),
        texts={"reason": reason},
        at=now,
    )
    return waiver


def set_wip_limit(store: MemoryStore, limit: WipLimit, name: str | None) -> None:
    """Limit the number of versions in a stage."""
    owner = store.owner(name)
    if owner.limits.get(limit.stage) != limit:
        owner.limits[limit.stage] = limit
        data = {"limit": limit.limit, "mode": limit.mode.value}
        store.append(owner.chain, Action.WIP_LIMIT_SET, to_stage=limit.stage, data=data)


def remove_wip_limit(store: MemoryStore, stage: Stage, name: str | None) -> None:
    """Remove the WIP limit of a stage."""
    stage = limited_stage(stage)
    owner = store.owner(name)
    if owner.limits.pop(stage, None) is None:
        raise NotFound(f"{stage.label} has no WIP limit.", what="wip_limit")
    store.append(owner.chain, Action.WIP_LIMIT_REMOVED, to_stage=stage)
