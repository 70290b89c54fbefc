"""What a registry in memory does about rules: policies, waivers, guardrails, limits, rollback."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from obeya import names
from obeya.audit.chain import SYSTEM_ACTOR
from obeya.errors import InvalidInput, NotFound, policy_not_found
from obeya.memory.requests import MemoryRequests
from obeya.memory.rows import Model, moves_of
from obeya.memory.store import MemoryStore
from obeya.metrics import finite
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import Verdict, no_policy
from obeya.policy.waivers import Waiver, expiry, waivable
from obeya.records import Action, Channel, StageTransition
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.judge import TransitionJudgement
from obeya.transitions.limits import WipLimit, limited_stage
from obeya.transitions.rollback import Departure, rollback_target
from obeya.transitions.versions import next_stage


class MemoryGovernance(MemoryRequests):
    """The part of `obeya.memory.registry.InMemoryRegistry` that governs moves."""

    # Policies

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        """See `ModelRegistry.set_policy`."""
        if policy.stage is None:
            raise InvalidInput("A policy needs a target stage to be stored.", field="stage")
        with self._lock:
            model = None if name is None else self._store.model(name)
            policies = (model or self._store).policies
            revisions = policies.revisions.setdefault(policy.stage, [])
            present = policies.in_force(policy.stage)
            if present is None or not present[0].asks_the_same_as(policy):
                revisions.append(policy)
                policies.removed.discard(policy.stage)
                chain = self._store.site if model is None else model.chain
                data = {"revision": len(revisions), "policy": policy.to_document()}
                self._store.append(chain, Action.POLICY_SET, to_stage=policy.stage, data=data)
            return len(revisions)

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        """See `ModelRegistry.remove_policy`."""
        stage, reason = Stage.parse(stage), names.reason(reason)
        with self._lock:
            model = None if name is None else self._store.model(name)
            policies = (model or self._store).policies
            present = policies.in_force(stage)
            if present is None:
                raise policy_not_found(stage, model.name if model else None)
            policies.removed.add(stage)
            chain = self._store.site if model is None else model.chain
            self._store.append(
                chain,
                Action.POLICY_REMOVED,
                to_stage=stage,
                data={"revision": present[1]},
                texts={"reason": reason},
            )

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        """See `ModelRegistry.get_policy`."""
        stage = Stage.parse(stage)
        with self._lock:
            model = None if name is None else self._store.model(name)
            return self._store.policy_of(model, stage)[0]

    def check_promotion_policy(
        self,
        name: str,
        version: int,
        policy: PromotionPolicy | None = None,
        to_stage: Stage | None = None,
    ) -> Verdict:
        """See `ModelRegistry.check_promotion_policy`."""
        wanted = None if to_stage is None else Stage.parse(to_stage)
        with self._lock:
            model, found = self._store.find(name, version)
            stage = wanted or found.stage.next
            revision = None
            if policy is None and stage is not None:
                policy, revision = self._store.policy_of(model, stage)
            if policy is None:
                return no_policy(stage)
            facts = self._store.facts(model, found, stage or found.stage)
            return replace(facts, policy=policy, policy_revision=revision).check_policy()

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        """See `ModelRegistry.can_promote`."""
        wanted = None if to_stage is None else Stage.parse(to_stage)
        with self._lock:
            model, found = self._store.find(name, version)
            return self._store.judge(model, found, wanted or next_stage(found.stage))

    def waive(
        self,
        name: str,
        version: int,
        requirements: Sequence[str],
        *,
        reason: str,
        expires_at: datetime,
        to_stage: Stage | None = None,
    ) -> Waiver:
        """See `ModelRegistry.waive`."""
        wanted = None if to_stage is None else Stage.parse(to_stage)
        reason = names.required_reason(reason, to="waive it")
        with self._lock:
            model, found = self._store.find(name, version)
            stage = wanted or next_stage(found.stage)
            policy, _ = self._store.policy_of(model, stage)
            asked = policy.evidence_requirements if policy else None
            lines = waivable(asked, found.stage, stage, requirements)
            now = self._store.now(model.chain)
            waiver = Waiver(
                id=str(uuid.uuid4()),
                model=model.name,
                version=found.number,
                stage=stage,
                requirements=lines,
                reason=reason,
                granted_by=self._store.actor,
                granted_at=now,
                expires_at=expiry(expires_at, now),
            )
            model.waivers.append(waiver)
            self._store.append(
                model.chain,
                Action.WAIVER_GRANTED,
                version=found.number,
                to_stage=stage,
                data=waiver.to_document(),
                texts={"reason": reason},
                at=now,
            )
            return waiver

    # Rollback and guardrails

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        """See `ModelRegistry.rollback`."""
        reason = names.required_reason(reason, to="roll back")
        with self._lock:
            model = self._store.model(name)
            if to_version is not None:
                self._store.find(name, to_version)
            return self._roll_back(self._store, model, to_version, reason)

    def _roll_back(
        self, store: MemoryStore, model: Model, to_version: int | None, reason: str
    ) -> StageTransition:
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

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        """See `ModelRegistry.set_guardrail`."""
        with self._lock:
            model = self._store.model(name)
            if model.guardrails.get(guardrail.metric) != guardrail:
                model.guardrails[guardrail.metric] = guardrail
                data = guardrail.to_document()
                self._store.append(model.chain, Action.GUARDRAIL_SET, data=data)
                self._store.clear_andons(model, metric=guardrail.metric)

    def remove_guardrail(self, name: str, metric: str) -> None:
        """See `ModelRegistry.remove_guardrail`."""
        stored = names.stored_form(metric)
        with self._lock:
            model = self._store.model(name)
            if model.guardrails.pop(stored, None) is None:
                raise NotFound(f"{model.name} has no guardrail for “{metric}”.", what="guardrail")
            self._store.append(model.chain, Action.GUARDRAIL_REMOVED, data={"metric": stored})
            self._store.clear_andons(model, metric=stored)

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        """See `ModelRegistry.report_live_metric`."""
        metric = names.metric_name(metric)
        value = finite(value, what=f"The live value of “{metric}”")
        with self._lock:
            model = self._store.model(name)
            number = self._live_version(model, version)
            report = LiveReport(
                model=model.name,
                version=number,
                metric=metric,
                value=value,
                reported_at=self._store.now(model.chain),
                guardrail=model.guardrails.get(metric),
            )
            if report.guardrail is None:
                return report
            if not report.breached:
                self._store.clear_andons(model, number, metric)
                return report
            if (number, metric) in model.andons:
                return report
            model.andons.append((number, metric))
            self._store.append(
                model.chain,
                Action.ANDON_RAISED,
                version=number,
                data={"guardrail": report.guardrail.to_document(), "value": value},
            )
            if not report.guardrail.auto_rollback or len(model.in_production) > 1:
                return report
            store = self._store.acting_as(SYSTEM_ACTOR, Channel.GUARDRAIL)
            try:
                moved = self._roll_back(store, model, None, report.sentence)
            except InvalidInput:
                return report
            return replace(report, rolled_back_to=moved.version)

    def _live_version(self, model: Model, version: int | None) -> int:
        if version is None:
            if not model.in_production:
                raise InvalidInput(f"{model.name} has no version in Production.", field="version")
            return model.in_production[-1]
        _, found = self._store.find(model.name, version)
        if found.stage is not Stage.PRODUCTION:
            raise InvalidInput(f"{found} is not in Production.", field="version")
        return found.number

    # WIP limits

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        """See `ModelRegistry.set_wip_limit`."""
        with self._lock:
            model = None if name is None else self._store.model(name)
            limits = self._store.limits if model is None else model.limits
            if limits.get(limit.stage) != limit:
                limits[limit.stage] = limit
                self._store.append(
                    self._store.chain_of(model),
                    Action.WIP_LIMIT_SET,
                    to_stage=limit.stage,
                    data={"limit": limit.limit, "mode": limit.mode.value},
                )

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        """See `ModelRegistry.remove_wip_limit`."""
        stage = limited_stage(stage)
        with self._lock:
            model = None if name is None else self._store.model(name)
            limits = self._store.limits if model is None else model.limits
            if limits.pop(stage, None) is None:
                raise NotFound(f"{stage.label} has no WIP limit.", what="wip_limit")
            self._store.append(
                self._store.chain_of(model), Action.WIP_LIMIT_REMOVED, to_stage=stage
            )
