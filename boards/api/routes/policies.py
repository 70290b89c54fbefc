"""Promotion policies, impact previews of drafts, and metric definitions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Router
from pydantic import Field

from boards.access.permissions import Permission
from boards.api.answers import answer, done, expected_revision, is_known
from boards.api.guard import ApiRequest
from boards.api.routes.catalog import Name
from boards.api.schemas.basics import GatedStage, Items, MetricPath
from boards.api.schemas.catalog import Definition, DefinitionIn
from boards.api.schemas.policies import Draft, PolicyIn, PolicyInForce, Simulation
from boards.models import PolicyRevision
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.policies_in_force import policies_in_force, policy_in_force
from boards.queries.facts.records import definitions, find_model
from boards.queries.policies.what_if import what_if
from boards.registry.catalog import metrics as metric_writes
from boards.registry.policies.policies import remove_policy, set_policy
from obeya import names
from obeya.documents.comparisons import definition_document, definition_from_document
from obeya.documents.policies import policy_document, policy_from_document
from obeya.errors import InvalidInput, NotFound
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage

router = Router(tags=["Policies"])

Reason = Annotated[
    str, Query(), Field(max_length=names.REASON_MAX, description="The reason, for the audit log.")
]


@router.get("/policies", response=Items[PolicyInForce])
def list_policies(request: ApiRequest) -> HttpResponse:
    """List the policies in force: default policies first, then model policies, each by stage."""
    request.actor.require_anywhere(Permission.VIEW)
    found = policies_in_force(visible_models(request.actor))
    return answer(
        {
            "items": [
                {
                    "stage": each.policy.stage.value if each.policy.stage else None,
                    "model": model,
                    "revision": each.revision,
                    "policy": policy_document(each.policy),
                }
                for model, each in found
            ]
        }
    )


@router.get("/policies/{stage}", response=PolicyInForce)
def get_site_policy(request: ApiRequest, stage: GatedStage) -> HttpResponse:
    """Retrieve the default policy for a stage. Its ETag is its revision."""
    request.actor.require_anywhere(Permission.VIEW)
    found = policy_in_force(None, Stage(stage))
    if found is None:
        raise NotFound(f"There is no default policy for {Stage(stage).label}.", what="policy")
    return _answer(request, found.row)


@router.put("/policies/{stage}", response=PolicyInForce)
def set_site_policy(request: ApiRequest, stage: GatedStage, policy: PolicyIn) -> HttpResponse:
    """Set the default policy for a stage. An identical policy creates no new revision."""
    return _set(request, None, stage, policy)


@router.delete("/policies/{stage}", response={204: None})
def remove_site_policy(request: ApiRequest, stage: GatedStage, reason: Reason = "") -> HttpResponse:
    """Remove the default policy for a stage. Its revisions are kept."""
    remove_policy(stage=Stage(stage), reason=reason, actor=request.actor, at=timezone.now())
    return done()


@router.get("/models/{name}/policies/{stage}", response=PolicyInForce)
def get_model_policy(request: ApiRequest, name: Name, stage: GatedStage) -> HttpResponse:
    """Retrieve the policy in force for a model and a stage.

    It is the model policy or, if there is none, the default policy (then `model` is null).
    """
    request.actor.require(Permission.VIEW, name)
    model = find_model(name)
    found = policy_in_force(model, Stage(stage))
    if found is None:
        raise NotFound(
            f"{model.name} has no promotion policy for {Stage(stage).label}.", what="policy"
        )
    return _answer(request, found.row)


@router.put("/models/{name}/policies/{stage}", response=PolicyInForce)
def set_model_policy(
    request: ApiRequest, name: Name, stage: GatedStage, policy: PolicyIn
) -> HttpResponse:
    """Set the model policy for a stage. It replaces the default policy for this model."""
    return _set(request, name, stage, policy)


@router.delete("/models/{name}/policies/{stage}", response={204: None})
def remove_model_policy(
    request: ApiRequest, name: Name, stage: GatedStage, reason: Reason = ""
) -> HttpResponse:
    """Remove the model policy for a stage. The default policy applies again."""
    remove_policy(
        stage=Stage(stage), name=name, reason=reason, actor=request.actor, at=timezone.now()
    )
    return done()


@router.post("/policy-simulations", response=Simulation)
def simulate_policy(request: ApiRequest, draft: Draft) -> HttpResponse:
    """Preview the impact of a policy on existing versions and past promotions. Stores nothing."""
    if draft.model is None:
        request.actor.require(Permission.VIEW, None)
        model = None
    else:
        request.actor.require(Permission.VIEW, draft.model)
        model = find_model(draft.model)
    policy = policy_from_document(draft.policy.dict())
    if policy.stage is None:
        raise InvalidInput("The policy needs a stage.", field="policy.stage")
    found = what_if(policy, policy.stage, model, timezone.now())
    return answer(
        {
            "versions": found.versions,
            "would_pass": found.would_pass,
            "passing": [{"model": row.model, "version": row.number} for row in found.passing],
            "failing": [{"model": row.model, "version": row.number} for row in found.failing],
            "newly_failing": [
                {"model": row.model, "version": row.number} for row in found.newly_failing
            ],
            "promotions": found.promoted,
            "would_refuse": found.would_refuse,
            "only_warns": found.only_warns,
            "refused": [
                {
                    "model": promotion.model,
                    "version": promotion.number,
                    "made_at": promotion.made_at.isoformat(),
                    "check": promotion.check_uid,
                }
                for promotion in found.refused
            ],
        }
    )


@router.get("/metric-definitions", response=Items[Definition])
def list_metric_definitions(request: ApiRequest) -> HttpResponse:
    """List the metric definitions, sorted by name."""
    request.actor.require_anywhere(Permission.VIEW)
    found = definitions()
    return answer({"items": [definition_document(found[name]) for name in sorted(found)]})


@router.put("/metric-definitions/{path:metric}", response=Definition)
def define_metric(request: ApiRequest, metric: MetricPath, said: DefinitionIn) -> HttpResponse:
    """Define a metric: its direction, unit, scale, title and description."""
    definition = definition_from_document({"name": metric, **said.dict()})
    metric_writes.define_metric(definition=definition, actor=request.actor, at=timezone.now())
    return answer(definition_document(definitions()[names.metric_name(metric)]))


def _set(request: ApiRequest, name: str | None, stage: GatedStage, given: PolicyIn) -> HttpResponse:
    if given.stage not in (None, stage):
        raise InvalidInput(
            f"The URL is for {stage}, but the policy is for {given.stage}.", field="stage"
        )
    policy = policy_from_document({**given.dict(), "stage": stage})
    revision = set_policy(
        policy=policy,
        name=name,
        expected_revision=expected_revision(request),
        actor=request.actor,
        at=timezone.now(),
    )
    return _document(revision)


def _answer(request: ApiRequest, revision: PolicyRevision) -> HttpResponse:
    if is_known(request, revision.number):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED)
    return _document(revision)


def _document(revision: PolicyRevision) -> HttpResponse:
    return answer(
        {
            "stage": revision.stage,
            "model": revision.model.name if revision.model else None,
            "revision": revision.number,
            "policy": policy_document(PromotionPolicy.from_document(revision.document)),
        },
        revision=revision.number,
    )
