"""Guardrails, live values and WIP limits."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router

from boards.access.permissions import Permission
from boards.api.answers import answer, done
from boards.api.guard import ApiRequest
from boards.api.routes.catalog import Name
from boards.api.schemas.basics import Items, LimitedStage, MetricPath
from boards.api.schemas.operations import Guardrail as GuardrailSchema
from boards.api.schemas.operations import GuardrailIn, LiveReport, NewLiveValue, WipLimitIn
from boards.api.schemas.operations import WipLimit as WipLimitSchema
from boards.queries.facts.records import find_model
from boards.queries.policies.guardrails import guardrails_of
from boards.queries.policies.limits import wip_limits
from boards.registry.policies import guardrails as guardrail_writes
from boards.registry.policies.limits import remove_wip_limit, set_wip_limit
from obeya.documents.governance import guardrail_document, live_report_document, wip_limit_document
from obeya.policy.bounds import Comparison
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit

router = Router(tags=["Operations"])


@router.get("/models/{name}/guardrails", response=Items[GuardrailSchema])
def list_guardrails(request: ApiRequest, name: Name) -> HttpResponse:
    """List the guardrails of a model, sorted by metric."""
    request.actor.require(Permission.VIEW, name)
    found = guardrails_of(find_model(name))
    return answer({"items": [guardrail_document(found[metric]) for metric in sorted(found)]})


@router.put("/models/{name}/guardrails/{path:metric}", response=GuardrailSchema)
def set_guardrail(
    request: ApiRequest, name: Name, metric: MetricPath, bound: GuardrailIn
) -> HttpResponse:
    """Set the limit of a live metric. A value that breaches it raises an alert (andon)."""
    guardrail = Guardrail(metric, Comparison(bound.comparison), bound.bound, bound.auto_rollback)
    guardrail_writes.set_guardrail(
        name=name, guardrail=guardrail, actor=request.actor, at=timezone.now()
    )
    return answer(guardrail_document(guardrail))


@router.delete("/models/{name}/guardrails/{path:metric}", response={204: None})
def remove_guardrail(request: ApiRequest, name: Name, metric: MetricPath) -> HttpResponse:
    """Remove a guardrail, and clear the alerts that it raised."""
    guardrail_writes.remove_guardrail(
        name=name, metric=metric, actor=request.actor, at=timezone.now()
    )
    return done()


@router.post("/models/{name}/live-values", response=LiveReport)
def report_live_value(request: ApiRequest, name: Name, new: NewLiveValue) -> HttpResponse:
    """Report a live value of a version in Production.

    A value that breaches the guardrail raises an alert (andon); a value within the limit clears it.
    """
    report = guardrail_writes.report_live_metric(
        name=name,
        metric=new.metric,
        value=new.value,
        version=new.version,
        actor=request.actor,
        at=timezone.now(),
    )
    return answer(live_report_document(report))


@router.get("/wip-limits", response=Items[WipLimitSchema])
def list_site_limits(request: ApiRequest) -> HttpResponse:
    """List the WIP limits of the whole registry."""
    request.actor.require_anywhere(Permission.VIEW)
    return answer({"items": [wip_limit_document(limit) for limit in wip_limits(None)]})


@router.put("/wip-limits/{stage}", response=WipLimitSchema)
def set_site_limit(request: ApiRequest, stage: LimitedStage, limit: WipLimitIn) -> HttpResponse:
    """Limit the number of versions in a stage, in the whole registry."""
    return _set_limit(request, None, stage, limit)


@router.delete("/wip-limits/{stage}", response={204: None})
def remove_site_limit(request: ApiRequest, stage: LimitedStage) -> HttpResponse:
    """Remove a WIP limit of the whole registry."""
    return _remove_limit(request, None, stage)


@router.get("/models/{name}/wip-limits", response=Items[WipLimitSchema])
def list_model_limits(request: ApiRequest, name: Name) -> HttpResponse:
    """List the WIP limits of a model. Those of the whole registry apply too."""
    request.actor.require(Permission.VIEW, name)
    found = wip_limits(find_model(name))
    return answer({"items": [wip_limit_document(limit) for limit in found]})


@router.put("/models/{name}/wip-limits/{stage}", response=WipLimitSchema)
def set_model_limit(
    request: ApiRequest, name: Name, stage: LimitedStage, limit: WipLimitIn
) -> HttpResponse:
    """Limit the number of a model's versions in a stage."""
    return _set_limit(request, name, stage, limit)


@router.delete("/models/{name}/wip-limits/{stage}", response={204: None})
def remove_model_limit(request: ApiRequest, name: Name, stage: LimitedStage) -> HttpResponse:
    """Remove a WIP limit of a model."""
    return _remove_limit(request, name, stage)


def _set_limit(
    request: ApiRequest, name: str | None, stage: LimitedStage, given: WipLimitIn
) -> HttpResponse:
    limit = WipLimit(Stage(stage), given.limit, LimitMode(given.mode))
    set_wip_limit(limit=limit, name=name, actor=request.actor, at=timezone.now())
    return answer(wip_limit_document(limit))


def _remove_limit(request: ApiRequest, name: str | None, stage: LimitedStage) -> HttpResponse:
    remove_wip_limit(stage=Stage(stage), name=name, actor=request.actor, at=timezone.now())
    return done()
