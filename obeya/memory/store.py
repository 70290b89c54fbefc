"""The data of `InMemoryRegistry`, and the operations on it that its methods share."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from obeya import names
from obeya.aliases.governed import GovernedAlias
from obeya.audit.chain import (
    SYSTEM_ACTOR,
    AuditEvent,
    BrokenLink,
    Link,
    event_hash,
    first_broken_link,
)
from obeya.documents.policy_results import refusal_documents
from obeya.errors import RefusalKind, model_not_found, version_not_found
from obeya.memory.aliases import update_aliases
from obeya.memory.rows import Chain, Model, Policies, evidence_of, last_entered
from obeya.policy.in_force import guarding_policy
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Definitions, Evidence
from obeya.records import Action, Channel, ModelVersion
from obeya.refusals import TransitionRefused, refuse
from obeya.stages import Stage, Workflow
from obeya.transitions.judge import TransitionFacts, TransitionJudgement, judge_transition
from obeya.transitions.limits import StageLoad, WipLimit
from obeya.transitions.requests import CLOSED_BY, RequestStatus, TransitionRequest, approvals
from obeya.values import version_number


@dataclass(slots=True)
class MemoryStore:
    """All models, and the default policies, WIP limits across models, and site chain.

    The caller holds the registry's lock.
    """

    actor: str
    clock: Callable[[], datetime]
    workflow: Workflow
    definitions: Definitions = field(default_factory=dict)
    channel: Channel = Channel.PYTHON
    is_service: bool = False
    limits: dict[Stage, WipLimit] = field(default_factory=dict)
    governed: dict[str, GovernedAlias] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    chain: Chain = field(default_factory=Chain)
    buried: list[Chain] = field(default_factory=list)

    def acting_as(self, actor: str, channel: Channel, *, is_service: bool = False) -> MemoryStore:
        """Return the same store for another actor; the data is shared, not copied."""
        return dataclasses.replace(self, actor=actor, channel=channel, is_service=is_service)

    def owner(self, name: str | None) -> Model | MemoryStore:
        """Return the model, or (None) the store, which has the policies and limits of no model."""
        return self if name is None else self.model(name)

    def model(self, name: str) -> Model:
        """Return the model. Raises `NotFound`."""
        try:
            return self.models[names.stored_form(name)]
        except KeyError:
            raise model_not_found(name) from None

    def find(self, name: str, version: int) -> tuple[Model, ModelVersion]:
        """Return the model and one of its versions. Raises `NotFound`."""
        model = self.model(name)
        try:
            return model, model.versions[version_number(version)]
        except KeyError:
            raise version_not_found(model.name, version) from None

    def find_either(self, name: str, version: int | None) -> tuple[Model, ModelVersion | None]:
        """Return the model and one of its versions, or (None) only the model. Raises `NotFound`."""
        return (self.model(name), None) if version is None else self.find(name, version)

    def issued(self, model: Model, version: ModelVersion) -> ModelVersion:
        """Return a copy of the version with its current aliases, for callers."""
        aliases = sorted(a for a, number in model.aliases.items() if number == version.version)
        return dataclasses.replace(
            version,
            aliases=tuple(aliases),
            measurements=dict(version.measurements),
            tags=dict(version.tags),
        )

    def replace(self, model: Model, version: ModelVersion) -> ModelVersion:
        """Store a changed version with its next revision."""
        now = self.now(model.chain)
        changed = dataclasses.replace(version, revision=version.revision + 1, updated_at=now)
        model.versions[version.version] = changed
        return changed

    def move(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        operation: str,
        *,
        at: datetime,
        action: Action,
        data: Mapping[str, Any],
        reason: str = "",
    ) -> None:
        """Move a version to a stage, append the event, and close its open requests and alerts."""
        self.replace(model, dataclasses.replace(version, stage=to_stage, stage_entered_at=at))
        self.append(
            model.chain,
            action,
            version=version.version,
            from_stage=version.stage,
            to_stage=to_stage,
            operation=operation,
            data=data,
            texts={"reason": reason},
            at=at,
        )
        model.entered[version.stage].remove(version.version)
        model.entered[to_stage].append(version.version)
        self.left(model, version.version, to_stage)

    def refused(
        self, model: Model, version: ModelVersion, judgement: TransitionJudgement, reason: str
    ) -> TransitionRefused:
        """Return the error for a refused move.

        Appends the event of the refusal, unless the workflow refuses the move.
        """
        refusals = refusal_documents(judgement.refusals)
        if not judgement.refused_by(RefusalKind.WORKFLOW):
            self.append(
                model.chain,
                Action.TRANSITION_REFUSED,
                version=version.version,
                from_stage=judgement.from_stage,
                to_stage=judgement.to_stage,
                data={"refusals": refusals},
                texts={"reason": reason},
            )
        return refuse(
            judgement.refusals,
            from_stage=judgement.from_stage,
            to_stage=judgement.to_stage,
            policy_result=judgement.policy_result,
        )

    def enter(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        reason: str,
        *,
        archive_existing: bool,
        action: Action = Action.STAGE_TRANSITIONED,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Move a version; with `archive_existing` archive the others in `to_stage` before."""
        operation, now = str(uuid.uuid4()), self.now(model.chain)
        archived: list[int] = []
        if archive_existing and to_stage is not Stage.ARCHIVED:
            for other in [v for v in model.versions.values() if v.stage is to_stage]:
                archived.append(other.version)
                self.move(
                    model,
                    other,
                    Stage.ARCHIVED,
                    operation,
                    at=now,
                    action=action,
                    data={"replaced_by": version.version},
                )
        self.move(
            model,
            version,
            to_stage,
            operation,
            at=now,
            action=action,
            reason=reason,
            data=data or {},
        )
        update_aliases(self, model, {version.stage: [version.version], to_stage: archived})

    def champion_of(self, model: Model, judged: ModelVersion) -> Evidence | None:
        """Return the champion's evidence; None if there is none or `judged` is the champion."""
        champion = last_entered(model, Stage.PRODUCTION)
        if champion in (None, judged.version):
            return None
        return evidence_of(model.versions[champion])

    def policy_of(
        self, model: Model | None, stage: Stage
    ) -> tuple[PromotionPolicy | None, int | None]:
        """Return the policy in force and its revision; None and None if there is no policy."""
        own = model.policies.in_force(stage) if model else None
        return guarding_policy(own, self.policies.in_force(stage)) or (None, None)

    def facts(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        *,
        archive_existing: bool = False,
    ) -> TransitionFacts:
        """Return the inputs for judging a move."""
        policy, revision = self.policy_of(model, to_stage)
        now = self.now(model.chain)
        facts = TransitionFacts(
            from_stage=version.stage,
            to_stage=to_stage,
            workflow=self.workflow,
            evidence=dataclasses.replace(
                evidence_of(version), time_in_stage=now - version.stage_entered_at
            ),
            policy=policy,
            policy_revision=revision,
            champion=self.champion_of(model, version),
            definitions=self.definitions,
            waivers=tuple(
                w for w in model.waivers if (w.version, w.stage) == (version.version, to_stage)
            ),
            loads=self._loads(model, version, to_stage, archive_existing=archive_existing),
            at=now,
        )
        for request in model.requests:
            if (
                (request.version, request.to_stage) == (version.version, to_stage)
                and request.status is RequestStatus.OPEN
                and now < request.expires_at
            ):
                given = approvals(request.reviews, request.requested_by, facts.evidence_digest)
                return dataclasses.replace(facts, approvals=given)
        return facts

    def _loads(
        self, model: Model, version: ModelVersion, stage: Stage, *, archive_existing: bool
    ) -> tuple[StageLoad, ...]:
        loads = []
        for owner, limits in ((model, model.limits), (None, self.limits)):
            if stage in limits:
                there = [
                    other
                    for counted in ([model] if owner else self.models.values())
                    if not (archive_existing and counted is model)
                    for other in counted.versions.values()
                    if other.stage is stage and other is not version
                ]
                named = tuple(f"v{o.version}" if owner else str(o) for o in there)
                whose = owner.name if owner else None
                loads.append(StageLoad(limits[stage], whose, len(there), named))
        return tuple(loads)

    def judge(
        self,
        model: Model,
        version: ModelVersion,
        to_stage: Stage,
        *,
        archive_existing: bool = False,
    ) -> TransitionJudgement:
        """Judge a move by every rule."""
        return judge_transition(
            self.facts(model, version, to_stage, archive_existing=archive_existing)
        )

    def now(self, chain: Chain) -> datetime:
        """Return the clock's time in UTC, but never before the last event of the chain."""
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
            channel=self.channel,
            action=action,
            previous_hash=chain.head,
            model=None if chain is self.chain else chain.uid,
            texts={role: text for role, text in (texts or {}).items() if text},
            **details,
        )
        text = event.canonical_text()
        chain.events.append(event)
        chain.links.append(Link(event.sequence, text, event_hash(text)))

    # Open requests and alerts of a version

    def seen(self, model: Model, request: TransitionRequest) -> TransitionRequest:
        """Return a request in its current state.

        An open request gets the digest of the current evidence.
        """
        if request.status is not RequestStatus.OPEN:
            return request
        version = model.versions[request.version]
        facts = self.facts(model, version, request.to_stage)
        over = self.now(model.chain) >= request.expires_at
        return dataclasses.replace(
            request,
            evidence_digest=facts.evidence_digest,
            status=RequestStatus.EXPIRED if over else RequestStatus.OPEN,
            count_service_approvals=facts.counts_services,
        )

    def keep(self, model: Model, request: TransitionRequest) -> TransitionRequest:
        """Store a changed request in its place."""
        model.requests = [request if r.id == request.id else r for r in model.requests]
        return request

    def close(
        self,
        model: Model,
        request: TransitionRequest,
        status: RequestStatus,
        *,
        comment: str = "",
    ) -> TransitionRequest:
        """Close a request, and append the event.

        The request keeps the digest of the evidence at this time.
        """
        if request.version in model.versions:
            request = self.seen(model, request)
        closed = self.keep(model, dataclasses.replace(request, status=status))
        self.append(
            model.chain,
            CLOSED_BY[status],
            version=request.version,
            from_stage=request.from_stage,
            to_stage=request.to_stage,
            data={"request": request.id, "evidence_digest": request.evidence_digest},
            texts={"comment": comment},
        )
        return closed

    def expire_requests(self, model: Model) -> None:
        """Close the open requests that expired."""
        now = self.now(model.chain)
        for request in model.requests:
            if request.status is RequestStatus.OPEN and now >= request.expires_at:
                self.acting_as(SYSTEM_ACTOR, Channel.SYSTEM).close(
                    model, request, RequestStatus.EXPIRED
                )

    def left(self, model: Model, version: int, to_stage: Stage | None) -> None:
        """Close the open requests of a version that moved to `to_stage`, or (None) was deleted.

        Its alerts are cleared, unless it moved to Production.
        """
        for request in model.requests:
            if request.status is RequestStatus.OPEN and request.version == version:
                as_asked = request.to_stage is to_stage
                status = RequestStatus.COMPLETED if as_asked else RequestStatus.WITHDRAWN
                self.close(model, request, status)
        if to_stage is not Stage.PRODUCTION:
            self.clear_andons(model, version)

    def clear_andons(
        self, model: Model, version: int | None = None, metric: str | None = None
    ) -> None:
        """Clear alerts, of one version or one metric or both."""
        for andon in list(model.andons):
            if version in (None, andon[0]) and metric in (None, andon[1]):
                model.andons.remove(andon)
                self.append(
                    model.chain, Action.ANDON_CLEARED, version=andon[0], data={"metric": andon[1]}
                )

    def broken_links(self) -> list[BrokenLink]:
        """Return the first broken link of each broken chain, including those of deleted models."""
        chains = [self.chain, *(model.chain for model in self.models.values()), *self.buried]
        broken = (first_broken_link(chain.uid, chain.links) for chain in chains)
        return [link for link in broken if link is not None]
