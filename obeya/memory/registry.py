"""A registry in memory: for notebooks and tests, and the reference for other implementations."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from obeya.aliases.governed import GovernedAlias
from obeya.audit.chain import AuditEvent, BrokenLink
from obeya.comparison import VersionComparison, compare
from obeya.memory import aliases, catalog, guardrails, labels, moves, policies, requests
from obeya.memory.rows import moves_of
from obeya.memory.store import MemoryStore
from obeya.metrics import MetricDefinition
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult
from obeya.policy.waivers import Waiver
from obeya.records import Channel, ModelVersion, StageTransition, VersionDraft
from obeya.registry import ModelRegistry
from obeya.stages import STRICT, Stage, Workflow
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.judge import TransitionJudgement
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import TransitionRequest
from obeya.transitions.versions import next_stage
from obeya.values import MetricValues, stage_and_name


class InMemoryRegistry(ModelRegistry):
    """A `ModelRegistry` in this process. Nothing is persisted; every method is thread-safe.

    The actor can do everything except what requires a second person: there are no permissions in
    memory. `acting_as` returns the same registry for another actor. `clock` returns the time of
    each write and must return aware times; `workflow` is the workflow of every model.
    """

    def __init__(
        self,
        *,
        actor: str = "me",
        clock: Callable[[], datetime] | None = None,
        workflow: Workflow = STRICT,
        definitions: Mapping[str, MetricDefinition] | None = None,
    ) -> None:
        self._store = MemoryStore(
            actor, clock or (lambda: datetime.now(UTC)), workflow, dict(definitions or {})
        )
        self._lock = threading.RLock()

    def acting_as(self, actor: str, *, is_service: bool = False) -> InMemoryRegistry:
        """Return the same registry, with all its contents, for another actor.

        With `is_service` it acts as a service account.
        """
        other = copy.copy(self)
        acting = self._store.acting_as(actor, Channel.PYTHON, is_service=is_service)
        other._store = acting  # noqa: SLF001 - a copy of this one
        return other

    def register_model(
        self,
        name: str,
        version: int | None = None,
        metrics: MetricValues | None = None,
        artifact_path: str = "",
        *,
        label: str = "",
        tags: Mapping[str, str] | None = None,
        description: str = "",
        source_run: str = "",
        artifact_digest: str = "",
        allow_similar: bool = False,
    ) -> ModelVersion:
        draft = VersionDraft(
            model=name,
            version=version,
            metrics=metrics or {},
            artifact_path=artifact_path,
            label=label,
            tags=tags or {},
            description=description,
            source_run=source_run,
            artifact_digest=artifact_digest,
            allow_similar=allow_similar,
        )
        with self._lock:
            return catalog.register_model(self._store, draft)

    def get_version(self, name: str, version: int) -> ModelVersion:
        with self._lock:
            model, found = self._store.find(name, version)
            return self._store.issued(model, found)

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        with self._lock:
            model = self._store.model(name)
            return [self._store.issued(model, model.versions[n]) for n in sorted(model.versions)]

    def get_latest(self, name: str) -> ModelVersion | None:
        versions = self.list_versions(name)
        return versions[-1] if versions else None

    def get_by_stage(self, stage: Stage, name: str | None = None) -> Sequence[ModelVersion]:
        stage, name = stage_and_name(stage, name)
        with self._lock:
            models = sorted(self._store.models) if name is None else [name]
            return [
                version
                for model in models
                for version in self.list_versions(model)
                if version.stage is stage
            ]

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        versions = self.get_by_stage(stage, name)
        return versions[-1] if versions else None

    def log_metrics(
        self, name: str, version: int, metrics: MetricValues, *, allow_similar: bool = False
    ) -> ModelVersion:
        with self._lock:
            return catalog.log_metrics(
                self._store, name, version, metrics, allow_similar=allow_similar
            )

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        with self._lock:
            return policies.set_policy(self._store, policy, name)

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        with self._lock:
            policies.remove_policy(self._store, stage, name, reason)

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
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
    ) -> PolicyResult:
        with self._lock:
            return policies.check_promotion_policy(self._store, name, version, policy, to_stage)

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        wanted = None if to_stage is None else Stage.parse(to_stage)
        with self._lock:
            model, found = self._store.find(name, version)
            return self._store.judge(model, found, wanted or next_stage(found.stage))

    def transition_stage(
        self,
        name: str,
        version: int,
        to_stage: Stage,
        *,
        reason: str = "",
        archive_existing: bool = False,
        expected_stage: Stage | None = None,
        expected_revision: int | None = None,
    ) -> StageTransition:
        intent = TransitionIntent(
            to_stage=to_stage,
            reason=reason,
            archive_existing=archive_existing,
            expected_stage=expected_stage,
            expected_revision=expected_revision,
        )
        with self._lock:
            return moves.transition_stage(self._store, name, version, intent)

    def request_transition(
        self,
        name: str,
        version: int,
        to_stage: Stage | None = None,
        *,
        reason: str = "",
        archive_existing: bool = False,
    ) -> TransitionRequest:
        intent = TransitionIntent(
            to_stage=to_stage, reason=reason, archive_existing=archive_existing
        )
        with self._lock:
            return requests.request_transition(self._store, name, version, intent)

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        with self._lock:
            return requests.get_requests(self._store, name, version)

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        with self._lock:
            return requests.approve(self._store, name, version, comment, to_stage)

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        with self._lock:
            return requests.reject(self._store, name, version, comment, to_stage)

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        with self._lock:
            return requests.withdraw(self._store, name, version, to_stage)

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
        with self._lock:
            return policies.waive(
                self._store,
                name,
                version,
                requirements,
                reason=reason,
                expires_at=expires_at,
                to_stage=to_stage,
            )

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        with self._lock:
            return moves.rollback(self._store, name, to_version, reason)

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        with self._lock:
            guardrails.set_guardrail(self._store, name, guardrail)

    def remove_guardrail(self, name: str, metric: str) -> None:
        with self._lock:
            guardrails.remove_guardrail(self._store, name, metric)

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        with self._lock:
            return guardrails.report_live_metric(self._store, name, metric, value, version)

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        with self._lock:
            policies.set_wip_limit(self._store, limit, name)

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        with self._lock:
            policies.remove_wip_limit(self._store, stage, name)

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        with self._lock:
            model, _ = self._store.find_either(name, version)
            moves = moves_of(model)
            return [move for move in moves if version is None or move.version == version]

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        with self._lock:
            (_, version_a), (_, version_b) = self._store.find(name, a), self._store.find(name, b)
            return compare(
                (str(version_a), version_a.measurements),
                (str(version_b), version_b.measurements),
                self._store.definitions,
            )

    def set_tag(
        self,
        name: str,
        key: str,
        value: str,
        version: int | None = None,
        *,
        allow_similar: bool = False,
    ) -> None:
        with self._lock:
            labels.set_tag(self._store, name, key, value, version, allow_similar=allow_similar)

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        with self._lock:
            labels.delete_tag(self._store, name, key, version)

    def set_alias(
        self, name: str, alias: str, version: int, *, allow_similar: bool = False
    ) -> None:
        with self._lock:
            aliases.set_alias(self._store, name, alias, version, allow_similar=allow_similar)

    def delete_alias(self, name: str, alias: str) -> None:
        with self._lock:
            aliases.delete_alias(self._store, name, alias)

    def set_governed_alias(self, governed: GovernedAlias, name: str | None = None) -> None:
        with self._lock:
            aliases.set_governed_alias(self._store, governed, name)

    def remove_governed_alias(self, alias: str, name: str | None = None) -> None:
        with self._lock:
            aliases.remove_governed_alias(self._store, alias, name)

    def get_governed_aliases(self, name: str | None = None) -> Sequence[GovernedAlias]:
        with self._lock:
            model = None if name is None else self._store.model(name)
            return aliases.governed_aliases(self._store, model).configured

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        with self._lock:
            catalog.set_description(self._store, name, text, version)

    def rename_model(self, name: str, new_name: str, *, allow_similar: bool = False) -> None:
        with self._lock:
            catalog.rename_model(self._store, name, new_name, allow_similar=allow_similar)

    def delete_version(self, name: str, version: int) -> None:
        with self._lock:
            catalog.delete_version(self._store, name, version)

    def delete_model(self, name: str) -> None:
        with self._lock:
            catalog.delete_model(self._store, name)

    def events(self, name: str | None = None) -> Sequence[AuditEvent]:
        """Return the audit events of one model, or (None) of the site chain, oldest first."""
        with self._lock:
            return list(self._store.owner(name).chain.events)

    def verify(self) -> list[BrokenLink]:
        """Recompute every chain; return the first broken link of each chain that has one."""
        with self._lock:
            return self._store.broken_links()
