"""What `InMemoryRegistry` keeps, and the steps that its methods are made of."""

from __future__ import annotations

import dataclasses
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from obeya import names
from obeya.audit import (
    GENESIS,
    AuditEvent,
    BrokenLink,
    Link,
    event_hash,
    first_broken_link,
)
from obeya.errors import (
    RefusalKind,
    TransitionRefused,
    model_not_found,
    refuse,
    version_not_found,
)
from obeya.metrics import Metric
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
    """A registered model with its versions by number and its own policies by stage.

    `in_production` holds the numbers in the order in which they entered; the last is the champion.
    """

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, ModelVersion] = field(default_factory=dict)
    policies: dict[Stage, list[PromotionPolicy]] = field(default_factory=dict)
    last_number: int = 0
    in_production: list[int] = field(default_factory=list)
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
            return self.models[names.stored_form(name)]
        except KeyError:
            raise model_not_found(name) from None

    def find(self, name: str, version: int) -> tuple[Model, ModelVersion]:
        """The model and one of its versions. Raises `NotFound`."""
        model = self.model(name)
        try:
            return model, model.versions[version_number(version)]
        except KeyError:
            raise version_not_found(model.name, version) from None

    def handed_out(self, model: Model, version: ModelVersion) -> ModelVersion:
        """The version with the aliases that point at it now, and mappings of its own."""
        aliases = sorted(a for a, number in model.aliases.items() if number == version.number)
        return dataclasses.replace(
            version,
            aliases=tuple(aliases),
            metrics=dict(version.metrics),
            tags=dict(version.tags),
        )

    def replace(self, model: Model, version: ModelVersion) -> ModelVersion:
        """Keep a changed version at its next revision."""
        changed = dataclasses.replace(version, revision=version.revision + 1)
        model.versions[version.number] = changed
        return changed

    def tag(
        self,
        model: Model,
        version: ModelVersion | None,
        tags: dict[str, str],
        action: Action,
        data: dict[str, Any],
    ) -> None:
        """Keep the tags of a version, or (None) of the model, with the event that changed them."""
        if version is None:
            model.tags = tags
        else:
            self.replace(model, dataclasses.replace(version, tags=tags))
        number = None if version is None else version.number
        self.append(model.chain, action, version=number, data=data)

    def move(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        operation: str,
        *,
        at: datetime,
        reason: str = "",
        replaced_by: int | None = None,
    ) -> None:
        """Bring a version into a stage, with its event. `replaced_by` took its place there."""
        self.replace(model, dataclasses.replace(version, stage=to_stage, stage_entered_at=at))
        self.append(
            model.chain,
            Action.STAGE_TRANSITIONED,
            version=version.number,
            from_stage=version.stage,
            to_stage=to_stage,
            operation=operation,
            data={} if replaced_by is None else {"replaced_by": replaced_by},
            texts={"reason": reason},
            at=at,
        )
        model.in_production = [n for n in model.in_production if n != version.number]
        if to_stage is Stage.PRODUCTION:
            model.in_production.append(version.number)

    def refused(
        self, model: Model, version: ModelVersion, judgement: TransitionJudgement, reason: str
    ) -> TransitionRefused:
        """The error for a move that may not be made, with its event unless the workflow refuses."""
        refusals = [
            {"kind": r.kind.value, "code": r.code, "sentence": r.sentence}
            for r in judgement.refusals
        ]
        if not judgement.refused_by(RefusalKind.WORKFLOW):
            self.append(
                model.chain,
                Action.TRANSITION_REFUSED,
                version=version.number,
                from_stage=judgement.from_stage,
                to_stage=judgement.to_stage,
                data={"refusals": refusals},
                texts={"reason": reason},
            )
        return refuse(
            judgement.refusals,
            from_stage=judgement.from_stage,
            to_stage=judgement.to_stage,
            verdict=judgement.verdict,
        )

    def enter(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        reason: str,
        *,
        archive_existing: bool,
    ) -> None:
        """Make a move, and with `archive_existing` archive the others in `to_stage` before it."""
        operation, now = str(uuid.uuid4()), self.now(model.chain)
        if archive_existing and to_stage is not Stage.ARCHIVED:
            for other in [v for v in model.versions.values() if v.stage is to_stage]:
                self.move(
                    model,
                    other,
                    Stage.ARCHIVED,
                    operation,
                    at=now,
                    replaced_by=version.number,
                )
        self.move(model, version, to_stage, operation, at=now, reason=reason)

    def champion_of(self, model: Model, judged: ModelVersion) -> Evidence | None:
        """The champion's evidence; None where there is none or it is the one judged."""
        champion = model.in_production[-1] if model.in_production else judged.number
        if champion == judged.number:
            return None
        return Evidence(champion, model.versions[champion].metrics)

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
        """The clock's time in UTC, but never before the last event of the chain."""
        now = self.clock().astimezone(UTC)
        return max(now, chain.events[-1].occurred_at) if chain.events else now

    def append(
        self,
        chain: Chain,
        action: Action,
        *,
        at: datetime | None = None,
        texts: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        """Append an event that happened at `at`, else now; `details` are its other fields.

        Empty texts are left out.
        """
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
            texts={role: text for role, text in (texts or {}).items() if text},
            **details,
        )
        text = event.canonical_text()
        chain.events.append(event)
        chain.links.append(Link(event.sequence, text, event_hash(text)))

    def moves_of(self, model: Model) -> list[StageTransition]:
        """The moves of the versions that are there, registrations among them, oldest first."""
        archived: dict[str | None, list[int]] = defaultdict(list)
        for event in model.chain.events:
            if event.operation and event.to_stage is Stage.ARCHIVED and event.version is not None:
                archived[event.operation].append(event.version)
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
                tuple(n for n in archived.get(event.operation, ()) if n != event.version),
            )
            for event in model.chain.events
            if event.action in (Action.VERSION_REGISTERED, Action.STAGE_TRANSITIONED)
            and event.version is not None
            and event.version in model.versions
            and event.to_stage is not None
        ]

    def broken_links(self) -> list[BrokenLink]:
        """The first broken link of each chain that does not hold, deleted models' among them."""
        chains = [self.site, *(model.chain for model in self.models.values()), *self.buried]
        broken = (first_broken_link(chain.uid, chain.links) for chain in chains)
        return [link for link in broken if link is not None]


def metric_document(metric: Metric | None) -> dict[str, Any] | None:
    """A metric as an event holds it; what was not stated is left out."""
    if metric is None:
        return None
    stated = {
        "value": metric.value,
        "samples": metric.samples,
        "standard_error": metric.standard_error,
        "dataset": metric.dataset or None,
    }
    return {key: value for key, value in stated.items() if value is not None}
