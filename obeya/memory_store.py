"""What `InMemoryRegistry` keeps, and the steps that its methods are made of."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from obeya.audit import (
    GENESIS,
    AuditEvent,
    BrokenLink,
    Link,
    event_hash,
    first_broken_link,
)
from obeya.errors import model_not_found, version_not_found
from obeya.policies import Evidence, PromotionPolicy
from obeya.records import Action, Channel, ModelVersion, StageTransition
from obeya.registry import version_number
from obeya.stages import Stage, Workflow
from obeya.transitions import TransitionFacts, TransitionJudgement, judge_transition


@dataclass(slots=True)
class Chain:
    """A chain of events with the links that verify it."""

    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    events: list[AuditEvent] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def head(self) -> str:
        """The hash that the next event follows."""
        return self.links[-1].hash if self.links else GENESIS


@dataclass(slots=True)
class Model:
    """A registered model with its versions by number and its own policies by stage."""

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, ModelVersion] = field(default_factory=dict)
    policies: dict[Stage, list[PromotionPolicy]] = field(default_factory=dict)
    last_number: int = 0
    champion: int | None = None
    chain: Chain = field(default_factory=Chain)


@dataclass(slots=True)
class MemoryStore:
    """All models, the site's policies and every chain. The caller holds the registry's lock."""

    actor: str
    clock: Callable[[], datetime]
    workflow: Workflow
    models: dict[str, Model] = field(default_factory=dict)
    policies: dict[Stage, list[PromotionPolicy]] = field(default_factory=dict)
    site: Chain = field(default_factory=Chain)
    buried: list[Chain] = field(default_factory=list)

    def model(self, name: str) -> Model:
        """The model. Raises `NotFound`."""
        try:
            return self.models[name]
        except KeyError:
            raise model_not_found(name) from None

    def find(self, name: str, version: int) -> tuple[Model, ModelVersion]:
        """The model and one of its versions. Raises `NotFound`."""
        model = self.model(name)
        try:
            return model, model.versions[version_number(version)]
        except KeyError:
            raise version_not_found(name, version) from None

    def with_aliases(self, model: Model, version: ModelVersion) -> ModelVersion:
        """The version with the aliases that point at it now."""
        aliases = sorted(a for a, number in model.aliases.items() if number == version.number)
        return dataclasses.replace(version, aliases=tuple(aliases))

    def replace(self, model: Model, version: ModelVersion) -> ModelVersion:
        """Keep a changed version at its next revision."""
        changed = dataclasses.replace(version, revision=version.revision + 1)
        model.versions[version.number] = changed
        return changed

    def move(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        operation: str,
        texts: dict[str, str],
        *,
        at: datetime,
    ) -> None:
        """Bring a version into a stage, with its event."""
        self.replace(model, dataclasses.replace(version, stage=to_stage, stage_entered_at=at))
        self.append(
            model.chain,
            Action.STAGE_TRANSITIONED,
            version=version.number,
            from_stage=version.stage,
            to_stage=to_stage,
            operation=operation,
            texts=texts,
            at=at,
        )

    def crown(self, model: Model, entered: int | None = None) -> None:
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

    def champion_of(self, model: Model, judged: ModelVersion) -> Evidence | None:
        """The champion's evidence; None where there is none or it is the one judged."""
        if model.champion is None or model.champion == judged.number:
            return None
        return Evidence(model.champion, model.versions[model.champion].metrics)

    def policy_of(
        self, model: Model | None, stage: Stage
    ) -> tuple[PromotionPolicy | None, int | None]:
        """The policy in force and its revision: the model's own, else the site's, else nothing."""
        own = model.policies.get(stage, []) if model else []
        revisions = own or self.policies.get(stage, [])
        return (revisions[-1], len(revisions)) if revisions else (None, None)

    def judge(self, model: Model, version: ModelVersion, to_stage: Stage) -> TransitionJudgement:
        """Judge a move by every rule."""
        policy, revision = self.policy_of(model, to_stage)
        return judge_transition(
            TransitionFacts(
                from_stage=version.stage,
                to_stage=to_stage,
                workflow=self.workflow,
                evidence=Evidence(version.number, version.metrics),
                policy=policy,
                policy_revision=revision,
                champion=self.champion_of(model, version),
            )
        )

    def now(self, chain: Chain) -> datetime:
        """The clock's time, but never before the last event of the chain."""
        now = self.clock()
        return max(now, chain.events[-1].occurred_at) if chain.events else now

    def append(
        self, chain: Chain, action: Action, *, at: datetime | None = None, **details: Any
    ) -> None:
        """Append an event that happened at `at`, else now; `details` are its other fields."""
        event = AuditEvent(
            chain=chain.uid,
            sequence=len(chain.events) + 1,
            occurred_at=at or self.now(chain),
            recorded_at=datetime.now(UTC),
            actor=self.actor,
            channel=Channel.PYTHON,
            action=action,
            previous_hash=chain.head,
            model=None if chain is self.site else chain.uid,
            **details,
        )
        text = event.canonical_text()
        chain.events.append(event)
        chain.links.append(Link(event.sequence, text, event_hash(text)))

    def moves_of(self, model: Model) -> list[StageTransition]:
        """The moves of the versions that are there, registrations among them, oldest first."""
        events = [
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
                    for other in events
                    if other.operation == event.operation
                    and other.operation
                    and other is not event
                    and other.version is not None
                    and other.to_stage is Stage.ARCHIVED
                ),
            )
            for event in events
            if event.version is not None and event.to_stage is not None
        ]

    def broken_links(self) -> list[BrokenLink]:
        """The first broken link of each chain that does not hold, deleted models' among them."""
        chains = [self.site, *(model.chain for model in self.models.values()), *self.buried]
        broken = (first_broken_link(chain.uid, chain.links) for chain in chains)
        return [link for link in broken if link is not None]
