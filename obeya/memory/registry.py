"""A registry in memory: for notebooks and tests, and the model that others must match."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from obeya import names
from obeya.audit.chain import AuditEvent, BrokenLink
from obeya.comparison import VersionComparison, compare
from obeya.errors import AlreadyExists, NotFound, RefusalKind
from obeya.memory.governance import MemoryGovernance
from obeya.memory.rows import Model, moves_of
from obeya.memory.store import MemoryStore
from obeya.metrics import MetricDefinition, metric_document
from obeya.records import Action, ModelVersion, StageTransition
from obeya.registry import MetricValues, as_metrics, as_tags, version_number
from obeya.stages import STRICT, Stage, Workflow
from obeya.transitions.versions import check_expected, next_number


class InMemoryRegistry(MemoryGovernance):
    """Implements `ModelRegistry`. Nothing outlives the object; every method is thread-safe.

    The actor may do everything but what asks for two people: there are no rights in memory.
    `acting_as` gives the same registry to another actor. `clock` gives the time of each
    write and must return aware times; `workflow` is that of every model.
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

    def acting_as(self, actor: str) -> InMemoryRegistry:
        """The same registry, with everything in it, in the hands of another actor."""
        other = copy.copy(self)
        other._store = self._store.acting_as(actor)  # noqa: SLF001 - a copy of this one
        return other

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
        artifact_digest: str = "",
    ) -> ModelVersion:
        """See `ModelRegistry.register_model`."""
        name = names.model_name(name)
        wanted = None if version is None else version_number(version)
        checked_metrics, checked_tags = as_metrics(metrics), as_tags(tags)
        label, uri = names.label(label), names.artifact_uri(artifact_uri)
        text, run = names.description(description), names.source_run(source_run)
        digest = names.artifact_digest(artifact_digest)
        with self._lock:
            model = self._store.models.get(name) or Model(name)
            number = next_number(model.last_number, wanted, name=name, taken=set(model.versions))
            if label and any(v.label == label for v in model.versions.values()):
                raise AlreadyExists(f"{name} has a version labelled “{label}”.", field="label")
            now = self._store.now(model.chain)
            if name not in self._store.models:
                self._store.models[name] = model
                self._store.append(
                    model.chain, Action.MODEL_REGISTERED, texts={"name": name}, at=now
                )
            made = ModelVersion(
                model=name,
                number=number,
                stage=Stage.DEVELOPMENT,
                revision=1,
                created_at=now,
                stage_entered_at=now,
                label=label,
                metrics=checked_metrics,
                tags=checked_tags,
                artifact_uri=uri,
                artifact_digest=digest,
                source_run=run,
                description=text,
                owner=self._store.actor,
                updated_at=now,
            )
            model.versions[number] = made
            model.last_number = number
            self._store.append(
                model.chain,
                Action.VERSION_REGISTERED,
                version=number,
                to_stage=Stage.DEVELOPMENT,
                data={
                    "label": label,
                    "artifact_uri": uri,
                    "artifact_digest": digest,
                    "source_run": run,
                    "metrics": {n: metric_document(m) for n, m in checked_metrics.items()},
                    "tags": dict(checked_tags),
                },
                texts={"description": text},
                at=now,
            )
            return self._store.handed_out(model, made)

    def get_version(self, name: str, version: int) -> ModelVersion:
        """See `ModelRegistry.get_version`."""
        with self._lock:
            model, found = self._store.find(name, version)
            return self._store.handed_out(model, found)

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        """See `ModelRegistry.list_versions`."""
        with self._lock:
            model = self._store.model(name)
            return [
                self._store.handed_out(model, model.versions[n]) for n in sorted(model.versions)
            ]

    def get_latest(self, name: str) -> ModelVersion | None:
        """See `ModelRegistry.get_latest`."""
        versions = self.list_versions(name)
        return versions[-1] if versions else None

    def get_by_stage(self, name: str, stage: Stage) -> Sequence[ModelVersion]:
        """See `ModelRegistry.get_by_stage`."""
        stage = Stage.parse(stage)
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
                model = self._store.model(name)
                if model.description != text:
                    model.description = text
                    self._store.append(
                        model.chain, Action.MODEL_DESCRIBED, texts={"description": text}
                    )
                return
            model, found = self._store.find(name, version)
            if found.description != text:
                self._store.replace(model, replace(found, description=text))
                self._store.append(
                    model.chain,
                    Action.VERSION_DESCRIBED,
                    version=version,
                    texts={"description": text},
                )

    def rename_model(self, name: str, new_name: str) -> None:
        """See `ModelRegistry.rename_model`."""
        new_name = names.model_name(new_name)
        with self._lock:
            model = self._store.model(name)
            old_name = model.name
            if new_name == old_name:
                return
            if new_name in self._store.models:
                raise AlreadyExists(f"There is a model named “{new_name}”.", field="name")
            self._store.models[new_name] = self._store.models.pop(old_name)
            model.name = new_name
            model.versions = {n: replace(v, model=new_name) for n, v in model.versions.items()}
            texts = {"name": new_name, "previous_name": old_name}
            self._store.append(model.chain, Action.MODEL_RENAMED, texts=texts)

    def delete_version(self, name: str, version: int) -> None:
        """See `ModelRegistry.delete_version`."""
        with self._lock:
            model, found = self._store.find(name, version)
            del model.versions[found.number]
            model.aliases = {a: n for a, n in model.aliases.items() if n != found.number}
            model.in_production = [n for n in model.in_production if n != found.number]
            self._store.append(
                model.chain,
                Action.VERSION_DELETED,
                version=found.number,
                from_stage=found.stage,
            )
            self._store.left(model, found.number, None)

    def delete_model(self, name: str) -> None:
        """See `ModelRegistry.delete_model`."""
        with self._lock:
            model = self._store.model(name)
            for number in model.versions:
                self._store.left(model, number, None)
            self._store.append(model.chain, Action.MODEL_DELETED)
            self._store.buried.append(self._store.models.pop(model.name).chain)

    # Evidence

    def log_metrics(self, name: str, version: int, metrics: MetricValues) -> ModelVersion:
        """See `ModelRegistry.log_metrics`."""
        checked = as_metrics(metrics)
        with self._lock:
            model, found = self._store.find(name, version)
            changed = {n: m for n, m in checked.items() if found.metrics.get(n) != m}
            if changed:
                old = found.metrics
                found = self._store.replace(model, replace(found, metrics={**old, **changed}))
                logged = {
                    n: {
                        "old": metric_document(old[n]) if n in old else None,
                        "new": metric_document(m),
                    }
                    for n, m in changed.items()
                }
                self._store.append(
                    model.chain, Action.METRICS_LOGGED, version=version, data={"metrics": logged}
                )
            return self._store.handed_out(model, found)

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        """See `ModelRegistry.compare_versions`."""
        with self._lock:
            (_, version_a), (_, version_b) = self._store.find(name, a), self._store.find(name, b)
            return compare(
                (str(version_a), version_a.metrics),
                (str(version_b), version_b.metrics),
                self._store.definitions,
            )

    # Moves

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
            model, found = self._store.find(name, version)
            check_expected(
                str(found),
                stage=found.stage,
                revision=found.revision,
                expected_stage=expected_stage,
                expected_revision=expected_revision,
            )
            judgement = self._store.judge(model, found, to_stage, archive_existing=archive_existing)
            if not judgement.refused_by(RefusalKind.WORKFLOW):
                self._store.expire_requests(model)
            if not judgement.allowed:
                raise self._store.refused(model, found, judgement, reason)
            self._store.enter(model, found, to_stage, reason, archive_existing=archive_existing)
            return moves_of(model)[-1]

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        """See `ModelRegistry.get_transitions`."""
        with self._lock:
            model = self._store.model(name)
            if version is not None:
                self._store.find(name, version)
            moves = moves_of(model)
            return [move for move in moves if version is None or move.version == version]

    # Tags and aliases

    def set_tag(self, name: str, key: str, value: str, version: int | None = None) -> None:
        """See `ModelRegistry.set_tag`."""
        key, value = names.tag_key(key), names.tag_value(value)
        with self._lock:
            model, found = self._tagged(name, version)
            tags = model.tags if found is None else found.tags
            data = {"key": key, "old": tags.get(key), "new": value}
            if data["old"] == value:
                return
            action = Action.MODEL_TAGGED if found is None else Action.VERSION_TAGGED
            self._store.tag(model, found, {**tags, key: value}, action, data)

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        """See `ModelRegistry.delete_tag`."""
        stored = names.stored_form(key)
        with self._lock:
            model, found = self._tagged(name, version)
            tags = dict(model.tags if found is None else found.tags)
            if stored not in tags:
                raise NotFound(f"There is no tag “{key}”.", what="tag")
            data = {"key": stored, "old": tags.pop(stored)}
            action = Action.MODEL_UNTAGGED if found is None else Action.VERSION_UNTAGGED
            self._store.tag(model, found, tags, action, data)

    def _tagged(self, name: str, version: int | None) -> tuple[Model, ModelVersion | None]:
        return (
            (self._store.model(name), None) if version is None else self._store.find(name, version)
        )

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See `ModelRegistry.set_alias`."""
        alias = names.alias(alias)
        with self._lock:
            model, _ = self._store.find(name, version)
            old = model.aliases.get(alias)
            if old != version:
                model.aliases[alias] = version
                data = {"alias": alias, "old": old}
                self._store.append(model.chain, Action.ALIAS_SET, version=version, data=data)

    def delete_alias(self, name: str, alias: str) -> None:
        """See `ModelRegistry.delete_alias`."""
        stored = names.stored_form(alias)
        with self._lock:
            model = self._store.model(name)
            if stored not in model.aliases:
                raise NotFound(f"{model.name} has no alias “{alias}”.", what="alias")
            version, data = model.aliases.pop(stored), {"alias": stored}
            self._store.append(model.chain, Action.ALIAS_DELETED, version=version, data=data)

    # The log

    def events(self, name: str | None = None) -> Sequence[AuditEvent]:
        """The audit events of one model, or (None) of the site, oldest first."""
        with self._lock:
            return list(
                (self._store.site if name is None else self._store.model(name).chain).events
            )

    def verify(self) -> list[BrokenLink]:
        """Recompute every chain; the first broken link of each that does not hold."""
        with self._lock:
            return self._store.broken_links()
