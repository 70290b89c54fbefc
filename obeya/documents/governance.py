"""Requests, waivers, guardrails and WIP limits as JSON."""

from __future__ import annotations

from typing import Any

from obeya.aliases.governed import AliasMode, AliasSource, GovernedAlias
from obeya.documents.reading import (
    Document,
    read_time,
    read_time_or_none,
    reading,
    written_time,
    written_time_or_none,
)
from obeya.policy.bounds import Comparison
from obeya.policy.waivers import Waiver
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.limits import LimitMode, WipLimit
from obeya.transitions.requests import Decision, RequestStatus, Review, TransitionRequest


def request_document(request: TransitionRequest) -> dict[str, Any]:
    """Return a request as JSON, with its reviews and the approvers of the current evidence."""
    return {
        "id": request.id,
        "model": request.model,
        "version": request.version,
        "from_stage": request.from_stage.value,
        "to_stage": request.to_stage.value,
        "reason": request.reason,
        "requested_by": request.requested_by,
        "opened_at": written_time(request.opened_at),
        "expires_at": written_time(request.expires_at),
        "status": request.status.value,
        "evidence_digest": request.evidence_digest,
        "reviews": [
            {
                "reviewer": review.reviewer,
                "decision": review.decision.value,
                "evidence_digest": review.evidence_digest,
                "at": written_time(review.at),
                "comment": review.comment,
                "is_service": review.is_service,
            }
            for review in request.reviews
        ],
        "archive_existing": request.archive_existing,
        "count_service_approvals": request.count_service_approvals,
        "approved_by": list(request.approved_by),
    }


@reading("transition request")
def request_from_document(document: Document) -> TransitionRequest:
    """Read the request that `request_document` wrote.

    Raises:
        MalformedDocument: the document is not a request.
    """
    return TransitionRequest(
        id=document["id"],
        model=document["model"],
        version=document["version"],
        from_stage=Stage(document["from_stage"]),
        to_stage=Stage(document["to_stage"]),
        reason=document["reason"],
        requested_by=document["requested_by"],
        opened_at=read_time(document["opened_at"]),
        expires_at=read_time(document["expires_at"]),
        status=RequestStatus(document["status"]),
        evidence_digest=document["evidence_digest"],
        reviews=tuple(
            Review(
                reviewer=review["reviewer"],
                decision=Decision(review["decision"]),
                evidence_digest=review["evidence_digest"],
                at=read_time(review["at"]),
                comment=review["comment"],
                is_service=review.get("is_service", False),
            )
            for review in document["reviews"]
        ),
        archive_existing=document["archive_existing"],
        count_service_approvals=document.get("count_service_approvals", False),
    )


def waiver_document(waiver: Waiver) -> dict[str, Any]:
    """Return a waiver as JSON, with its reason and the user who granted it."""
    return {
        "id": waiver.id,
        "model": waiver.model,
        "version": waiver.version,
        "stage": waiver.stage.value,
        "requirements": list(waiver.requirements),
        "reason": waiver.reason,
        "granted_by": waiver.granted_by,
        "granted_at": written_time(waiver.granted_at),
        "expires_at": written_time(waiver.expires_at),
        "revoked_at": written_time_or_none(waiver.revoked_at),
    }


@reading("waiver")
def waiver_from_document(document: Document) -> Waiver:
    """Read the waiver that `waiver_document` wrote.

    Raises:
        MalformedDocument: the document is not a waiver.
    """
    return Waiver(
        id=document["id"],
        model=document["model"],
        version=document["version"],
        stage=Stage(document["stage"]),
        requirements=tuple(document["requirements"]),
        reason=document["reason"],
        granted_by=document["granted_by"],
        granted_at=read_time(document["granted_at"]),
        expires_at=read_time(document["expires_at"]),
        revoked_at=read_time_or_none(document["revoked_at"]),
    )


def guardrail_document(guardrail: Guardrail) -> dict[str, Any]:
    """Return a guardrail as JSON, in the same form as in events."""
    return guardrail.to_document()


@reading("guardrail")
def guardrail_from_document(document: Document) -> Guardrail:
    """Read the guardrail that `guardrail_document` wrote.

    Raises:
        MalformedDocument: the document is not a guardrail.
    """
    return Guardrail(
        document["metric"],
        Comparison(document["comparison"]),
        document["bound"],
        document["auto_rollback"],
    )


def live_report_document(report: LiveReport) -> dict[str, Any]:
    """Return the result of a reported live value as JSON."""
    return {
        "model": report.model,
        "version": report.version,
        "metric": report.metric,
        "value": report.value,
        "reported_at": written_time(report.reported_at),
        "guardrail": guardrail_document(report.guardrail) if report.guardrail else None,
        "breached": report.breached,
        "rolled_back_to": report.rolled_back_to,
    }


@reading("live report")
def live_report_from_document(document: Document) -> LiveReport:
    """Read the report that `live_report_document` wrote.

    Raises:
        MalformedDocument: the document is not a live report.
    """
    guardrail = document["guardrail"]
    return LiveReport(
        model=document["model"],
        version=document["version"],
        metric=document["metric"],
        value=float(document["value"]),
        reported_at=read_time(document["reported_at"]),
        guardrail=guardrail_from_document(guardrail) if guardrail else None,
        rolled_back_to=document["rolled_back_to"],
    )


def wip_limit_document(limit: WipLimit) -> dict[str, Any]:
    """Return a WIP limit as JSON, without its model."""
    return {"stage": limit.stage.value, "limit": limit.limit, "mode": limit.mode.value}


@reading("WIP limit")
def wip_limit_from_document(document: Document) -> WipLimit:
    """Read the limit that `wip_limit_document` wrote.

    Raises:
        MalformedDocument: the document is not a WIP limit.
    """
    return WipLimit(Stage(document["stage"]), document["limit"], LimitMode(document["mode"]))


def governed_alias_document(governed: GovernedAlias, model: str | None) -> dict[str, Any]:
    """Return a governed alias as JSON; `model` is that of a configuration for one model."""
    return {
        "alias": governed.alias,
        "model": model,
        "stage": governed.stage.value if governed.stage else None,
        "mode": governed.mode.value,
        "source": governed.source.value if governed.source else None,
    }


@reading("governed alias")
def governed_alias_from_document(document: Document) -> GovernedAlias:
    """Read the governed alias that `governed_alias_document` wrote.

    Raises:
        MalformedDocument: the document is not a governed alias.
    """
    stage, source = document["stage"], document["source"]
    return GovernedAlias(
        document["alias"],
        Stage(stage) if stage else None,
        AliasMode(document["mode"]),
        AliasSource(source) if source else None,
    )
