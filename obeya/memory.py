"""A registry in memory: for notebooks and tests, and the model that other registries must match."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from obeya import names
from obeya.audit import GENESIS, AuditEvent, BrokenLink, Link, event_hash, first_broken_link
from obeya.comparison import VersionComparison, compare
from obeya.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    RefusalKind,
    model_not_found,
    refuse,
    version_not_found,
)
from obeya.metrics import Metric, MetricDefinition
from obeya.policies import Evidence, PromotionPolicy, Verdict, no_policy
from obeya.records import Action, Channel, ModelVersion, StageTransition
from obeya.registry import MetricValues, as_metrics, as_tags, version_number
from obeya.stages import STRICT, Stage, Workflow
from obeya.transitions import TransitionFacts, TransitionJudgement, judge_transition
from obeya.versions import check_expected, next_number, next_stage


@dataclass(slots=True)
class _Chain:
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    events: list[AuditEvent] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def head(self) -> str:
        return self.links[-1].hash if self.links else GENESIS


@dataclass(slots=True)
class _Model:
    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, ModelVersion] = field(default_factory=dict)
    policies: dict[Stage, list[PromotionPolicy]] = field(default_factory=dict)
    last_number: int = 0
    champion: int | None = None
    chain: _Chain = field(default_factory=_Chain)


class InMemoryRegistry:
    """Implements `ModelRegistry`. Nothing outlives the object; every method is thread-safe.

    The actor may do everything: there are no rights in memory.
    """

    def __init__(
        self,
        *,
        actor: str = "me",
        clock: Callable[[], datetime] | None = None,
        workflow: Workflow = STRICT,
        definitions: Mapping[str, MetricDefinition] | None = None,
    ) -> None:
        self._actor = actor
        self._clock = clock or (lambda: datetime.now(UTC))
        self._workflow = workflow
        self._definitions = dict(definitions or {})
        self._models: dict[str, _Model] = {}
        self._policies: dict[Stage, list[PromotionPolicy]] = {}
        self._site = _Chain()
        self._buried: list[_Chain] = []
        self._lock = threading.RLock()

    # Versions and models

    def register_model(
        self,
        name: str,
        version: int | None = None,
        metrics: MetricValues | None = None,
        artifact_uri: str = "",
        *,
        label: str = "",
        tags: Mapping[str, str] | None = None,
        description: str = "",
        source_run: str = "",
    ) -> ModelVersion:
        """See `ModelRegistry.register_model`."""
        name = names.model_name(name)
        wanted = None if version is None else version_number(version)
        checked_metrics, checked_tags = as_metrics(metrics), as_tags(tags)
        label, uri = names.label(label), names.artifact_uri(artifact_uri)
        text, run = names.description(description), names.source_run(source_run)
        with self._lock:
            model = self._models.get(name) or _Model(name)
            number = next_number(model.last_number, wanted, name=name, taken=set(model.versions))
            if label and any(v.label == label for v in model.versions.values()):
                raise AlreadyExists(f"{name} has a version labelled “{label}”.", field="label")
            if name not in self._models:
                self._models[name] = model
                self._append(model.chain, Action.MODEL_REGISTERED)
            now = self._now(model.chain)
            made = ModelVersion(
                name,
                number,
                Stage.DEVELOPMENT,
                1,
                now,
                now,
                label=label,
                metrics=checked_metrics,
                tags=checked_tags,
                artifact_uri=uri,
                source_run=run,
                description=text,
                owner=self._actor,
            )
            model.versions[number] = made
            model.last_number = number
            self._append(
                model.chain,
                Action.VERSION_REGISTERED,
                version=number,
                to_stage=Stage.DEVELOPMENT,
            )
            return made

    def get_version(self, name: str, version: int) -> ModelVersion:
        """See `ModelRegistry.get_version`."""
        with self._lock:
            model, found = self._find(name, version)
            return self._with_aliases(model, found)

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        """See `ModelRegistry.list_versions`."""
        with self._lock:
            model = self._model(name)
            return [self._with_aliases(model, model.versions[n]) for n in sorted(model.versions)]

    def get_latest(self, name: str) -> ModelVersion | None:
        """See `ModelRegistry.get_latest`."""
        versions = self.list_versions(name)
        return versions[-1] if versions else None

    def get_by_stage(self, name: str, stage: Stage) -> Sequence[ModelVersion]:
        """See `ModelRegistry.get_by_stage`."""
        return [version for version in self.list_versions(name) if version.stage is stage]

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        """See `ModelRegistry.get_latest_in_stage`."""
        versions = self.get_by_stage(name, stage)
        return versions[-1] if versions else None

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        """See `ModelRegistry.set_description`."""
        text = names.description(text)
        with self._lock:
            if version is None:
                model = self._model(name)
                if model.description != text:
                    model.description = text
                    self._append(model.chain, Action.MODEL_DESCRIBED, texts={"description": text})
                return
            model, found = self._find(name, version)
            if found.description != text:
                self._replace(model, replace(found, description=text))
                self._append(
                    model.chain,
                    Action.VERSION_DESCRIBED,
                    version=version,
                    texts={"description": text},
                )

    def rename_model(self, name: str, new_name: str) -> None:
        """See `ModelRegistry.rename_model`."""
        new_name = names.model_name(new_name)
        with self._lock:
            model = self._model(name)
            if new_name == name:
                return
            if new_name in self._models:
                raise AlreadyExists(f"There is a model named “{new_name}”.", field="name")
            self._models[new_name] = self._models.pop(name)
            model.name = new_name
            model.versions = {n: replace(v, model=new_name) for n, v in model.versions.items()}
            self._append(model.chain, Action.MODEL_RENAMED)

    def delete_version(self, name: str, version: int) -> None:
        """See `ModelRegistry.delete_version`."""
        with self._lock:
            model, found = self._find(name, version)
            del model.versions[found.number]
            model.aliases = {a: n for a, n in model.aliases.items() if n != found.number}
            self._append(
                model.chain,
                Action.VERSION_DELETED,
                version=found.number,
                from_stage=found.stage,
            )
            self._crown(model)

    def delete_model(self, name: str) -> None:
        """See `ModelRegistry.delete_model`."""
        with self._lock:
            model = self._model(name)
            self._append(model.chain, Action.MODEL_DELETED)
            self._buried.append(self._models.pop(name).chain)

    # Evidence

    def log_metrics(self, name: str, version: int, metrics: MetricValues) -> ModelVersion:
        """See `ModelRegistry.log_metrics`."""
        checked = as_metrics(metrics)
        with self._lock:
            model, found = self._find(name, version)
            changed = {n: m for n, m in checked.items() if found.metrics.get(n) != m}
            if changed:
                found = self._replace(model, replace(found, metrics={**found.metrics, **changed}))
                self._append(model.chain, Action.METRICS_LOGGED, version=version)
            return self._with_aliases(model, found)

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        """See `ModelRegistry.compare_versions`."""
        with self._lock:
            (_, version_a), (_, version_b) = self._find(name, a), self._find(name, b)
            return compare(
                (str(version_a), version_a.metrics),
                (str(version_b), version_b.metrics),
                self._definitions,
            )

    # Policies

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        """See `ModelRegistry.set_policy`."""
        if policy.stage is None:
            raise InvalidInput("A policy needs a target stage to be stored.", field="stage")
        with self._lock:
            model = None if name is None else self._model(name)
            held = self._policies if model is None else model.policies
            revisions = held.setdefault(policy.stage, [])
            if not revisions or revisions[-1] != policy:
                revisions.append(policy)
                chain = self._site if model is None else model.chain
                self._append(chain, Action.POLICY_SET, to_stage=policy.stage)
            return len(revisions)

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        """See `ModelRegistry.get_policy`."""
        with self._lock:
            return self._policy_of(None if name is None else self._model(name), stage)[0]

    def check_promotion_policy(
        self,
        name: str,
        version: int,
        policy: PromotionPolicy | None = None,
        to_stage: Stage | None = None,
    ) -> Verdict:
        """See `ModelRegistry.check_promotion_policy`."""
        with self._lock:
            model, found = self._find(name, version)
            stage = to_stage or found.stage.next
            revision = None
            if policy is None and stage is not None:
                policy, revision = self._policy_of(model, stage)
            if policy is None:
                return no_policy(stage)
            return policy.check(
                Evidence(version, found.metrics), self._champion(model, found), revision=revision
            )

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        """See `ModelRegistry.can_promote`."""
        with self._lock:
            model, found = self._find(name, version)
            return self._judge(model, found, to_stage or next_stage(found.stage))

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
        """See `ModelRegistry.transition_stage`."""
        to_stage, reason = Stage.parse(to_stage), names.reason(reason)
        with self._lock:
            model, found = self._find(name, version)
            check_expected(
                str(found),
                stage=found.stage,
                revision=found.revision,
                expected_stage=expected_stage,
                expected_revision=expected_revision,
            )
            judgement = self._judge(model, found, to_stage)
            texts = {"reason": reason} if reason else {}
            if not judgement.allowed:
                if not judgement.refused_by(RefusalKind.WORKFLOW):
                    self._append(
                        model.chain,
                        Action.TRANSITION_REFUSED,
                        version=version,
                        from_stage=found.stage,
                        to_stage=to_stage,
                        texts=texts,
                    )
                raise refuse(
                    judgement.refusals,
                    from_stage=found.stage,
                    to_stage=to_stage,
                    verdict=judgement.verdict,
                )
            operation = str(uuid.uuid4())
            others = [
                other
                for other in model.versions.values()
                if archive_existing
                and to_stage is not Stage.ARCHIVED
                and other.stage is to_stage
                and other.number != version
            ]
            for other in others:
                self._move(model, other, Stage.ARCHIVED, operation, {})
            self._move(model, found, to_stage, operation, texts)
            self._crown(model, entered=found.number if to_stage is Stage.PRODUCTION else None)
            return self.get_transitions(name, version)[-1]

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        """See `ModelRegistry.get_transitions`."""
        with self._lock:
            model = self._model(name)
            if version is not None:
                self._find(name, version)
            moves = [
                event
                for event in model.chain.events
                if event.action in (Action.VERSION_REGISTERED, Action.STAGE_TRANSITIONED)
                and event.version in model.versions
            ]
            return [
                StageTransition(
                    model.name,
                    event.version,
                    event.from_stage,
                    event.to_stage,
                    event.actor,
                    event.occurred_at,
                    event.operation or "",
                    event.texts.get("reason", ""),
                    tuple(
                        other.version
                        for other in moves
                        if other.operation == event.operation
                        and other.operation
                        and other is not event
                        and other.version is not None
                        and other.to_stage is Stage.ARCHIVED
                    ),
                )
                for event in moves
                if event.version is not None
                and event.to_stage is not None
                and (version is None or event.version == version)
            ]

    # Tags and aliases

    def set_tag(self, name: str, key: str, value: str, version: int | None = None) -> None:
        """See `ModelRegistry.set_tag`."""
        key, value = names.tag_key(key), names.tag_value(value)
        with self._lock:
            if version is None:
                model = self._model(name)
                if model.tags.get(key) != value:
                    model.tags[key] = value
                    self._append(model.chain, Action.MODEL_TAGGED)
                return
            model, found = self._find(name, version)
            if found.tags.get(key) != value:
                self._replace(model, replace(found, tags={**found.tags, key: value}))
                self._append(model.chain, Action.VERSION_TAGGED, version=version)

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        """See `ModelRegistry.delete_tag`."""
        with self._lock:
            model = self._model(name)
            found = None if version is None else self._find(name, version)[1]
            tags = dict(model.tags if found is None else found.tags)
            if key not in tags:
                raise NotFound(f"There is no tag “{key}”.", what="tag")
            del tags[key]
            if found is None:
                model.tags = tags
                self._append(model.chain, Action.MODEL_UNTAGGED)
            else:
                self._replace(model, replace(found, tags=tags))
                self._append(model.chain, Action.VERSION_UNTAGGED, version=version)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See `ModelRegistry.set_alias`."""
        alias = names.alias(alias)
        with self._lock:
            model, _ = self._find(name, version)
            if model.aliases.get(alias) != version:
                model.aliases[alias] = version
                self._append(model.chain, Action.ALIAS_SET, version=version)

    def delete_alias(self, name: str, alias: str) -> None:
        """See `ModelRegistry.delete_alias`."""
        with self._lock:
            model = self._model(name)
            if alias not in model.aliases:
                raise NotFound(f"{name} has no alias “{alias}”.", what="alias")
            version = model.aliases.pop(alias)
            self._append(model.chain, Action.ALIAS_DELETED, version=version)

    # The log

    def events(self, name: str | None = None) -> Sequence[AuditEvent]:
        """The audit events of one model, or (None) of the site, oldest first."""
        with self._lock:
            return list((self._site if name is None else self._model(name).chain).events)

    def verify(self) -> list[BrokenLink]:
        """Recompute every chain; the first broken link of each that does not hold."""
        with self._lock:
            chains = [self._site, *(m.chain for m in self._models.values()), *self._buried]
            broken = (first_broken_link(chain.uid, chain.links) for chain in chains)
            return [link for link in broken if link is not None]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold every other thread off while several calls are made."""
        with self._lock:
            yield

    # Inside: the lock is held

    def _model(self, name: str) -> _Model:
        try:
            return self._models[name]
        except KeyError:
            raise model_not_found(name) from None

    def _find(self, name: str, version: int) -> tuple[_Model, ModelVersion]:
        model = self._model(name)
        try:
            return model, model.versions[version_number(version)]
        except KeyError:
            raise version_not_found(name, version) from None

    def _with_aliases(self, model: _Model, version: ModelVersion) -> ModelVersion:
        aliases = sorted(a for a, number in model.aliases.items() if number == version.number)
        return replace(version, aliases=tuple(aliases))

    def _replace(self, model: _Model, version: ModelVersion) -> ModelVersion:
        changed = replace(version, revision=version.revision + 1)
        model.versions[version.number] = changed
        return changed

    def _move(
        self,
        model: _Model,
        version: ModelVersion,
        to_stage: Stage,
        operation: str,
        texts: dict[str, str],
    ) -> None:
        now = self._now(model.chain)
        self._replace(model, replace(version, stage=to_stage, stage_entered_at=now))
        self._append(
            model.chain,
            Action.STAGE_TRANSITIONED,
            version=version.number,
            from_stage=version.stage,
            to_stage=to_stage,
            operation=operation,
            texts=texts,
        )

    def _crown(self, model: _Model, entered: int | None = None) -> None:
        """Keep `champion` the version that entered Production last."""
        if entered is not None:
            model.champion = entered
            return
        standing = model.versions.get(model.champion or 0)
        if standing is not None and standing.stage is Stage.PRODUCTION:
            return
        in_production = [v for v in model.versions.values() if v.stage is Stage.PRODUCTION]
        latest = max(in_production, key=lambda v: (v.stage_entered_at, v.number), default=None)
        model.champion = latest.number if latest else None

    def _champion(self, model: _Model, judged: ModelVersion) -> Evidence | None:
        if model.champion is None or model.champion == judged.number:
            return None
        return Evidence(model.champion, model.versions[model.champion].metrics)

    def _policy_of(
        self, model: _Model | None, stage: Stage
    ) -> tuple[PromotionPolicy | None, int | None]:
        own = model.policies.get(stage, []) if model else []
        revisions = own or self._policies.get(stage, [])
        return (revisions[-1], len(revisions)) if revisions else (None, None)

    def _judge(self, model: _Model, version: ModelVersion, to_stage: Stage) -> TransitionJudgement:
        policy, revision = self._policy_of(model, to_stage)
        return judge_transition(
            TransitionFacts(
                from_stage=version.stage,
                to_stage=to_stage,
                workflow=self._workflow,
                evidence=Evidence(version.number, version.metrics),
                policy=policy,
                policy_revision=revision,
                champion=self._champion(model, version),
            )
        )

    def _now(self, chain: _Chain) -> datetime:
        now = self._clock()
        return max(now, chain.events[-1].occurred_at) if chain.events else now

    def _append(self, chain: _Chain, action: Action, **details: Any) -> None:
        event = AuditEvent(
            chain=chain.uid,
            sequence=len(chain.events) + 1,
            occurred_at=self._now(chain),
            recorded_at=datetime.now(UTC),
            actor=self._actor,
            channel=Channel.PYTHON,
            action=action,
            previous_hash=chain.head,
            model=None if chain is self._site else chain.uid,
            **details,
        )
        text = event.canonical_text()
        chain.events.append(event)
        chain.links.append(Link(event.sequence, text, event_hash(text)))
