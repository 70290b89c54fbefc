"""What a registry in memory does about transition requests."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace

from obeya import names
from obeya.audit.chain import SYSTEM_ACTOR
from obeya.errors import AlreadyExists, refuse
from obeya.memory.rows import Model
from obeya.memory.store import MemoryStore
from obeya.records import Action, Channel
from obeya.stages import Stage
from obeya.transitions import requests
from obeya.transitions.judge import judge_transition
from obeya.transitions.requests import Decision, RequestStatus, TransitionRequest, Vote
from obeya.transitions.versions import next_stage


class MemoryRequests:
    """The part of `obeya.memory.registry.InMemoryRegistry` that asks others."""

    _store: MemoryStore
    _lock: threading.RLock

    def request_transition(
        self,
        name: str,
        version: int,
        to_stage: Stage | None = None,
        *,
        reason: str = "",
        archive_existing: bool = False,
    ) -> TransitionRequest:
        """See `ModelRegistry.request_transition`."""
        wanted = None if to_stage is None else Stage.parse(to_stage)
        reason = names.reason(reason)
        with self._lock:
            model, found = self._store.find(name, version)
            stage = wanted or next_stage(found.stage)
            refusal = self._store.workflow.check(found.stage, stage)
            if refusal is not None:
                raise refuse((refusal,), from_stage=found.stage, to_stage=stage)
            requests.check_requestable(found.stage, stage)
            self._store.expire_requests(model)
            if self._open(model, found.number, stage):
                raise AlreadyExists(f"There is an open request for {found} already.")
            now = self._store.now(model.chain)
            made = TransitionRequest(
                id=str(uuid.uuid4()),
                model=model.name,
                version=found.number,
                from_stage=found.stage,
                to_stage=stage,
                reason=reason,
                requested_by=self._store.actor,
                opened_at=now,
                expires_at=now + requests.OPEN_FOR,
                status=RequestStatus.OPEN,
                evidence_digest="",
                archive_existing=archive_existing,
            )
            model.requests.append(made)
            self._store.append(
                model.chain,
                Action.REQUEST_OPENED,
                version=found.number,
                from_stage=found.stage,
                to_stage=stage,
                data={"request": made.id, "archive_existing": archive_existing},
                texts={"reason": reason},
                at=now,
            )
            return self._store.seen(model, made)

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        """See `ModelRegistry.get_requests`."""
        with self._lock:
            model = self._store.model(name)
            if version is not None:
                self._store.find(name, version)
            return [
                self._store.seen(model, request)
                for request in reversed(model.requests)
                if version in (None, request.version) and request.version in model.versions
            ]

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        """See `ModelRegistry.approve`."""
        return self._vote(name, version, Decision.APPROVE, names.reason(comment), to_stage)

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """See `ModelRegistry.reject`."""
        text = requests.comment_required(names.reason(comment))
        return self._vote(name, version, Decision.REJECT, text, to_stage)

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """See `ModelRegistry.withdraw`."""
        with self._lock:
            model, request = self._one_open(name, version, to_stage)
            requests.check_withdrawal(
                request.status, requested_by=request.requested_by, actor=self._store.actor
            )
            return self._store.close(model, request, RequestStatus.WITHDRAWN)

    def _vote(
        self, name: str, version: int, decision: Decision, comment: str, to_stage: Stage | None
    ) -> TransitionRequest:
        with self._lock:
            model, request = self._one_open(name, version, to_stage)
            requests.check_vote(
                request.status,
                requested_by=request.requested_by,
                voter=self._store.actor,
                decision=decision,
            )
            digest = self._store.seen(model, request).evidence_digest
            vote = Vote(self._store.actor, decision, digest, self._store.now(model.chain), comment)
            request = self._store.keep(model, replace(request, votes=(*request.votes, vote)))
            data = {"request": request.id, "evidence_digest": digest}
            if decision is Decision.REJECT:
                return self._store.close(
                    model, request, RequestStatus.REJECTED, data=data, comment=comment
                )
            self._store.append(
                model.chain,
                Action.REQUEST_APPROVED,
                version=request.version,
                from_stage=request.from_stage,
                to_stage=request.to_stage,
                data=data,
                texts={"comment": comment},
                at=vote.at,
            )
            self._promote_by_itself(model, request, vote.voter)
            return self._store.seen(model, self._store.request(model, request.id))

    def _promote_by_itself(self, model: Model, request: TransitionRequest, voter: str) -> None:
        found = model.versions[request.version]
        facts = self._store.facts(
            model, found, request.to_stage, archive_existing=request.archive_existing
        )
        if requests.promotes_by_itself(facts.policy, facts.approvers) and (
            judge_transition(facts).allowed
        ):
            self._store.acting_as(SYSTEM_ACTOR, Channel.SYSTEM).enter(
                model,
                found,
                request.to_stage,
                request.reason,
                archive_existing=request.archive_existing,
                data={"approved_by": voter},
            )

    def _open(self, model: Model, version: int, stage: Stage | None) -> list[TransitionRequest]:
        return [
            request
            for request in model.requests
            if request.status is RequestStatus.OPEN
            and request.version == version
            and stage in (None, request.to_stage)
        ]

    def _one_open(
        self, name: str, version: int, to_stage: Stage | None
    ) -> tuple[Model, TransitionRequest]:
        stage = None if to_stage is None else Stage.parse(to_stage)
        model, found = self._store.find(name, version)
        self._store.expire_requests(model)
        return model, requests.the_one(self._open(model, found.number, stage), str(found))
