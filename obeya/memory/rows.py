"""The data of one model in `InMemoryRegistry`."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from obeya.aliases.governed import GovernedAlias
from obeya.audit.chain import GENESIS, AuditEvent, Link
from obeya.imports import leaves_unchecked
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Evidence
from obeya.policy.waivers import Waiver
from obeya.records import MOVES, Action, ModelVersion, StageTransition
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import TransitionRequest


@dataclass(slots=True)
class Chain:
    """A chain of events with the links that verify it."""

    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    events: list[AuditEvent] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def head(self) -> str:
        """The hash of the last event, which the next event contains."""
        return self.links[-1].hash if self.links else GENESIS


@dataclass(slots=True)
class Policies:
    """The policies of one model, or the default policies: their revisions by stage, oldest first.

    `removed` are the stages whose last revision is no longer in force.
    """

    revisions: dict[Stage, list[PromotionPolicy]] = field(default_factory=dict)
    removed: set[Stage] = field(default_factory=set)

    def in_force(self, stage: Stage) -> tuple[PromotionPolicy, int] | None:
        """Return the policy in force for a stage and the number of its revision, else None."""
        revisions = self.revisions.get(stage)
        if not revisions or stage in self.removed:
            return None
        return revisions[-1], len(revisions)


@dataclass(slots=True)
class Model:
    """A registered model with its versions by number and its model policies by stage.

    `entered` has the version numbers of each stage in the order in which they entered it; the last
    in Production is the champion. `governed` are the model's governed aliases by their keys.
    `andons` has the version and metric of each active alert.
    """

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, ModelVersion] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    last_number: int = 0
    entered: dict[Stage, list[int]] = field(default_factory=lambda: {s: [] for s in Stage})
    waivers: list[Waiver] = field(default_factory=list)
    requests: list[TransitionRequest] = field(default_factory=list)
    guardrails: dict[str, Guardrail] = field(default_factory=dict)
    andons: list[tuple[int, str]] = field(default_factory=list)
    limits: dict[Stage, WipLimit] = field(default_factory=dict)
    governed: dict[str, GovernedAlias] = field(default_factory=dict)
    chain: Chain = field(default_factory=Chain)


def label_names(model: Model) -> NewNames:
    """Return the labels of a model, for the check of a new one."""
    return NewNames(NameKind.LABEL, (v.label for v in model.versions.values() if v.label))


def metric_names(model: Model, existing: Iterable[str] = ()) -> NewNames:
    """Return the names `existing` of a version's metrics, for the check of new ones.

    Metrics of other versions of the model are not refused.
    """
    used = {name for version in model.versions.values() for name in version.measurements}
    return NewNames(NameKind.METRIC, existing, is_in_use=used.__contains__)


def tag_keys(model: Model, existing: Iterable[str] = ()) -> NewNames:
    """Return the tag keys `existing` of a version or the model, for the check of new ones.

    Keys in use elsewhere in the model are not refused.
    """
    used = {key for version in model.versions.values() for key in version.tags} | {*model.tags}
    return NewNames(NameKind.TAG_KEY, existing, is_in_use=used.__contains__)


def last_entered(model: Model, stage: Stage) -> int | None:
    """Return the version that entered a stage last, of those still there; None if it is empty."""
    return model.entered[stage][-1] if model.entered[stage] else None


def moves_of(model: Model) -> list[StageTransition]:
    """Return the moves of the existing versions, with their registrations, oldest first."""
    archived: dict[str | None, list[int]] = defaultdict(list)
    for event in model.chain.events:
        if event.operation and event.to_stage is Stage.ARCHIVED and event.version is not None:
            archived[event.operation].append(event.version)
    return [
        StageTransition(
            model=model.name,
            version=event.version,
            from_stage=event.from_stage,
            to_stage=event.to_stage,
            actor=event.actor,
            timestamp=event.occurred_at,
            operation_id=event.operation or "",
            reason=event.texts.get("reason", ""),
            archived=tuple(n for n in archived.get(event.operation, ()) if n != event.version),
            is_rollback=event.action is Action.VERSION_ROLLED_BACK,
            imported_unchecked=leaves_unchecked(event.to_stage, event.channel, event.data),
        )
        for event in model.chain.events
        if event.action in MOVES
        and event.version is not None
        and event.version in model.versions
        and event.to_stage is not None
    ]


def evidence_of(version: ModelVersion) -> Evidence:
    """Return the evidence of a version."""
    return Evidence(
        version=version.version,
        metrics=version.measurements,
        tags=version.tags,
        description=version.description,
        artifact_path=version.artifact_path,
        artifact_digest=version.artifact_digest,
    )
