"""The registry on the server's database, an implementation of `obeya.registry.ModelRegistry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.queries.facts import history, judgement, records
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.governed_aliases import governed_aliases
from boards.queries.facts.policies_in_force import policy_in_force
from boards.queries.facts.requests import request_record, requests_of
from boards.queries.facts.waivers import waiver_record
from boards.registry.catalog import catalog, labels, registration
from boards.registry.catalog import metrics as metric_writes
from boards.registry.policies import governed_aliases as alias_writes
from boards.registry.policies import guardrails, limits, policies, waivers
from boards.registry.transitions import requests, rollback, transitions
from obeya.aliases.governed import GovernedAlias
from obeya.comparison import VersionComparison, compare
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult
from obeya.policy.waivers import Waiver
from obeya.records import Channel, ModelVersion, StageTransition, VersionDraft
from obeya.registry import ModelRegistry
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.judge import TransitionJudgement
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import Decision, TransitionRequest
from obeya.transitions.versions import next_stage
from obeya.values import MetricValues, stage_and_name


class DatabaseRegistry(ModelRegistry):
    """A `ModelRegistry` for one actor; the methods call `boards.registry`.

    `actor` is an authenticated actor, or an account that acts in Python; None is the registry
    itself. `clock` returns the time of each write, which must be aware.
    """

    def __init__(
        self,
        *,
        actor: Actor | models.User | None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._actor = actor if isinstance(actor, Actor) else Actor(actor, Channel.PYTHON)
        self._clock = clock or timezone.now

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
        row = registration.register_version(
            draft=VersionDraft(
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
            ),
            actor=self._actor,
            at=self._clock(),
        )
        return self._record(row)

    def get_version(self, name: str, version: int) -> ModelVersion:
        return self._record(self._find(name, version))

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        return records.versions_of(self._model(name))

    def get_latest(self, name: str) -> ModelVersion | None:
        return records.latest_version(self._model(name))

    def get_by_stage(self, stage: Stage, name: str | None = None) -> Sequence[ModelVersion]:
        stage, name = stage_and_name(stage, name)
        if name is not None:
            return records.versions_of(self._model(name), stage)
        self._actor.require_anywhere(Permission.VIEW)
        return records.versions_in_stage(stage, visible_models(self._actor))

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        return records.latest_version(self._model(name), Stage.parse(stage))

    def log_metrics(
        self, name: str, version: int, metrics: MetricValues, *, allow_similar: bool = False
    ) -> ModelVersion:
        row = metric_writes.log_metrics(
            name=name,
            version=version,
            metrics=metrics,
            allow_similar=allow_similar,
            actor=self._actor,
            at=self._clock(),
        )
        return self._record(row)

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        return policies.set_policy(
            policy=policy, name=name, actor=self._actor, at=self._clock()
        ).number

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        policies.remove_policy(
            stage=stage, name=name, reason=reason, actor=self._actor, at=self._clock()
        )

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        self._actor.require(Permission.VIEW, name)
        model = None if name is None else records.find_model(name)
        found = policy_in_force(model, Stage.parse(stage))
        return found.policy if found else None

    def check_promotion_policy(
        self,
        name: str,
        version: int,
        policy: PromotionPolicy | None = None,
        to_stage: Stage | None = None,
    ) -> PolicyResult:
        wanted = None if to_stage is None else Stage.parse(to_stage)
        row = self._find(name, version)
        return judgement.policy_result_for(row, policy, wanted, at=self._clock())

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        wanted = None if to_stage is None else Stage.parse(to_stage)
        row = self._find(name, version)
        stage = wanted or next_stage(Stage(row.stage))
        return judgement.judge(row, stage, at=self._clock())

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
        return transitions.transition_stage(
            name=name,
            version=version,
            intent=TransitionIntent(
                to_stage=to_stage,
                reason=reason,
                archive_existing=archive_existing,
                expected_stage=expected_stage,
                expected_revision=expected_revision,
            ),
            actor=self._actor,
            at=self._clock(),
        )

    def request_transition(
        self,
        name: str,
        version: int,
        to_stage: Stage | None = None,
        *,
        reason: str = "",
        archive_existing: bool = False,
    ) -> TransitionRequest:
        row = requests.request_transition(
            name=name,
            version=version,
            intent=TransitionIntent(
                to_stage=to_stage, reason=reason, archive_existing=archive_existing
            ),
            actor=self._actor,
            at=self._clock(),
        )
        return self._request(row)

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        model = self._model(name)
        row = None if version is None else records.find_version(model, version)
        return requests_of(model, row, self._clock())

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        return self._review(name, version, Decision.APPROVE, comment, to_stage)

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        return self._review(name, version, Decision.REJECT, comment, to_stage)

    def _review(
        self, name: str, version: int, decision: Decision, comment: str, to_stage: Stage | None
    ) -> TransitionRequest:
        row = requests.review(
            name=name,
            version=version,
            decision=decision,
            comment=comment,
            to_stage=to_stage,
            actor=self._actor,
            at=self._clock(),
        )
        return self._request(row)

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        row = requests.withdraw(
            name=name, version=version, to_stage=to_stage, actor=self._actor, at=self._clock()
        )
        return self._request(row)

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
        row = waivers.waive(
            name=name,
            version=version,
            requirements=requirements,
            reason=reason,
            expires_at=expires_at,
            to_stage=to_stage,
            actor=self._actor,
            at=self._clock(),
        )
        return waiver_record(row)

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        return rollback.rollback(
            name=name, to_version=to_version, reason=reason, actor=self._actor, at=self._clock()
        )

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        guardrails.set_guardrail(
            name=name, guardrail=guardrail, actor=self._actor, at=self._clock()
        )

    def remove_guardrail(self, name: str, metric: str) -> None:
        guardrails.remove_guardrail(name=name, metric=metric, actor=self._actor, at=self._clock())

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        return guardrails.report_live_metric(
            name=name,
            metric=metric,
            value=value,
            version=version,
            actor=self._actor,
            at=self._clock(),
        )

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        limits.set_wip_limit(limit=limit, name=name, actor=self._actor, at=self._clock())

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        limits.remove_wip_limit(stage=stage, name=name, actor=self._actor, at=self._clock())

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        model = self._model(name)
        row = None if version is None else records.find_version(model, version)
        return history.transitions(model, row)

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        rows = self._find(name, a), self._find(name, b)
        metrics = records.metric_records(row.pk for row in rows)
        side_a, side_b = ((f"{name} v{row.number}", metrics.get(row.pk, {})) for row in rows)
        return compare(side_a, side_b, records.definitions())

    def set_tag(
        self,
        name: str,
        key: str,
        value: str,
        version: int | None = None,
        *,
        allow_similar: bool = False,
    ) -> None:
        labels.set_tag(
            name=name,
            key=key,
            value=value,
            version=version,
            allow_similar=allow_similar,
            actor=self._actor,
            at=self._clock(),
        )

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        labels.delete_tag(name=name, key=key, version=version, actor=self._actor, at=self._clock())

    def set_alias(
        self, name: str, alias: str, version: int, *, allow_similar: bool = False
    ) -> None:
        labels.set_alias(
            name=name,
            alias=alias,
            version=version,
            allow_similar=allow_similar,
            actor=self._actor,
            at=self._clock(),
        )

    def delete_alias(self, name: str, alias: str) -> None:
        labels.delete_alias(name=name, alias=alias, actor=self._actor, at=self._clock())

    def set_governed_alias(self, governed: GovernedAlias, name: str | None = None) -> None:
        alias_writes.set_governed_alias(
            governed=governed, name=name, actor=self._actor, at=self._clock()
        )

    def remove_governed_alias(self, alias: str, name: str | None = None) -> None:
        alias_writes.remove_governed_alias(
            alias=alias, name=name, actor=self._actor, at=self._clock()
        )

    def get_governed_aliases(self, name: str | None = None) -> Sequence[GovernedAlias]:
        if name is None:
            self._actor.require_anywhere(Permission.VIEW)
            return governed_aliases(None).configured
        return governed_aliases(self._model(name)).configured

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        catalog.set_description(
            name=name, text=text, version=version, actor=self._actor, at=self._clock()
        )

    def rename_model(self, name: str, new_name: str, *, allow_similar: bool = False) -> None:
        catalog.rename_model(
            name=name,
            new_name=new_name,
            allow_similar=allow_similar,
            actor=self._actor,
            at=self._clock(),
        )

    def delete_version(self, name: str, version: int) -> None:
        catalog.delete_version(name=name, version=version, actor=self._actor, at=self._clock())

    def delete_model(self, name: str) -> None:
        catalog.delete_model(name=name, actor=self._actor, at=self._clock())

    def _model(self, name: str) -> models.RegisteredModel:
        self._actor.require(Permission.VIEW, name)
        return records.find_model(name)

    def _find(self, name: str, version: int) -> models.ModelVersion:
        self._actor.require(Permission.VIEW, name)
        return records.find_named_version(name, version)

    def _record(self, row: models.ModelVersion) -> ModelVersion:
        return records.version_records([row])[0]

    def _request(self, row: models.TransitionRequest) -> TransitionRequest:
        return request_record(row, self._clock())
