"""Moves: their judgement, transitions, rollbacks and history."""

from __future__ import annotations

import uuid
from typing import Annotated

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Path, Router

from boards.access.permissions import Permission
from boards.api.answers import answer, created, expected_revision, page
from boards.api.guard import ApiRequest
from boards.api.paging import CursorText, Limit, number_cursor, number_place
from boards.api.routes.catalog import Name
from boards.api.routes.versions import Number
from boards.api.schemas.basics import Page, StageName
from boards.api.schemas.policies import TrialCheck
from boards.api.schemas.transitions import (
    FrozenCheck,
    NewCheck,
    NewRollback,
    NewTransition,
    StoredCheck,
    Transition,
    TransitionCheck,
)
from boards.api.schemas.transitions import PolicyResult as PolicyResultSchema
from boards.queries.checks.check_page import check_page, no_such_check
from boards.queries.facts.history import transitions_page
from boards.queries.facts.records import find_model, find_version
from boards.registry.database import DatabaseRegistry
from boards.registry.transitions.checks import record_policy_check
from boards.registry.transitions.rollback import rollback
from boards.registry.transitions.transitions import transition_stage
from obeya.documents.catalog import transition_document
from obeya.documents.policies import policy_from_document
from obeya.documents.policy_results import judgement_document, policy_result_document
from obeya.documents.reading import written_time
from obeya.policy.results import PolicyResult
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

router = Router(tags=["Moves"])


@router.get("/models/{name}/versions/{version}/policy-result", response=PolicyResultSchema)
def get_policy_result(
    request: ApiRequest, name: Name, version: Number, to_stage: StageName | None = None
) -> HttpResponse:
    """Check a version against the policy for `to_stage` (default: its next stage).

    Answers "Does it pass the policy?": only the requirements are checked, not the workflow,
    approvals and WIP limits. Stores nothing. To store the result, use `POST …/checks`; for "Can
    this version move?", use `GET …/judgement`.
    """
    stage = Stage(to_stage) if to_stage else None
    policy_result = DatabaseRegistry(actor=request.actor).check_promotion_policy(
        name, version, to_stage=stage
    )
    return answer(policy_result_document(policy_result))


@router.post("/models/{name}/versions/{version}/policy-result", response=PolicyResultSchema)
def try_policy(request: ApiRequest, name: Name, version: Number, trial: TrialCheck) -> HttpResponse:
    """Check a version against the policy in the request.

    Answers "Would it pass this policy?", for a policy that is not in force. Stores nothing.
    """
    stage = Stage(trial.to_stage) if trial.to_stage else None
    policy = policy_from_document(trial.policy.dict())
    policy_result = DatabaseRegistry(actor=request.actor).check_promotion_policy(
        name, version, policy, stage
    )
    return answer(policy_result_document(policy_result))


@router.get("/models/{name}/versions/{version}/judgement", response=TransitionCheck)
def get_judgement(
    request: ApiRequest, name: Name, version: Number, to_stage: StageName | None = None
) -> HttpResponse:
    """Check whether a move to `to_stage` (default: the next stage) is allowed now.

    Answers "Can this version move?": the workflow, the policy, approvals and WIP limits are
    checked, and every reason against the move is listed. Stores nothing.
    """
    stage = Stage(to_stage) if to_stage else None
    judgement = DatabaseRegistry(actor=request.actor).can_promote(name, version, stage)
    return answer(judgement_document(judgement))


@router.post("/models/{name}/versions/{version}/checks", response={201: StoredCheck})
def check_policy(request: ApiRequest, name: Name, version: Number, new: NewCheck) -> HttpResponse:
    """Check a version against its policy, and store the policy result with the evidence.

    Answers "Does it pass the policy?", as `GET …/policy-result` does. The stored check is proof of
    the answer: `GET /api/v1/checks/{id}` returns it.
    """
    row = record_policy_check(
        name=name,
        version=version,
        to_stage=Stage(new.to_stage) if new.to_stage else None,
        actor=request.actor,
        at=timezone.now(),
    )
    policy_result = policy_result_document(PolicyResult.from_document(row.verdict))
    return created(
        {"id": str(row.uid), "policy_result": policy_result},
        location=reverse("api:get_check", args=[row.uid]),
    )


@router.get("/checks/{uid}", response=FrozenCheck)
def get_check(request: ApiRequest, uid: Annotated[uuid.UUID, Path()]) -> HttpResponse:
    """Retrieve a stored check, with the evidence at the time of the check."""
    request.actor.require_anywhere(Permission.VIEW)
    found = check_page(uid)
    if not request.actor.reaches(found.model):
        raise no_such_check()
    return answer({**found.document, "made_at": written_time(found.made_at)})


@router.post("/models/{name}/versions/{version}/transitions", response={201: Transition})
def transition_version(
    request: ApiRequest, name: Name, version: Number, new: NewTransition
) -> HttpResponse:
    """Move a version to a stage. A refusal lists every reason and contains the policy result."""
    seen = expected_revision(request)
    move = transition_stage(
        name=name,
        version=version,
        intent=TransitionIntent(
            to_stage=Stage(new.to_stage),
            reason=new.reason,
            archive_existing=new.archive_existing,
            expected_stage=Stage(new.expected_stage) if new.expected_stage else None,
            expected_revision=new.expected_revision if seen is None else seen,
        ),
        actor=request.actor,
        at=timezone.now(),
    )
    return created(transition_document(move))


@router.get("/models/{name}/versions/{version}/transitions", response=Page[Transition])
def list_version_transitions(
    request: ApiRequest, name: Name, version: Number, cursor: CursorText = "", limit: Limit = 50
) -> HttpResponse:
    """List the transitions of a version, oldest first. The first is its registration."""
    return _transitions(request, name, version, cursor, limit)


@router.get("/models/{name}/transitions", response=Page[Transition])
def list_model_transitions(
    request: ApiRequest, name: Name, cursor: CursorText = "", limit: Limit = 50
) -> HttpResponse:
    """List the transitions of all versions of a model, oldest first."""
    return _transitions(request, name, None, cursor, limit)


@router.post("/models/{name}/rollbacks", response={201: Transition})
def roll_back(request: ApiRequest, name: Name, new: NewRollback) -> HttpResponse:
    """Move the last good version, or `to_version`, back to Production.

    The versions that were in Production are archived.
    """
    move = rollback(
        name=name,
        to_version=new.to_version,
        reason=new.reason,
        actor=request.actor,
        at=timezone.now(),
    )
    return created(transition_document(move))


def _transitions(
    request: ApiRequest, name: str, number: int | None, cursor: str, limit: int
) -> HttpResponse:
    request.actor.require(Permission.VIEW, name)
    model = find_model(name)
    version = None if number is None else find_version(model, number)
    moves, after = transitions_page(model, version, after=number_place(cursor), limit=limit)
    return page([transition_document(move) for move in moves], number_cursor(after))
