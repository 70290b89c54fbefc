"""Policy results, refusals and judgements as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from obeya.documents.reading import Document, reading
from obeya.errors import Refusal, RefusalKind
from obeya.policy.results import PolicyResult
from obeya.stages import Stage
from obeya.transitions.judge import TransitionJudgement


def policy_result_document(policy_result: PolicyResult) -> dict[str, Any]:
    """Return a policy result as stored, with whether it passed and its sentence."""
    return {
        **policy_result.to_document(),
        "passed": policy_result.passed,
        "sentence": policy_result.sentence,
    }


@reading("policy result")
def policy_result_from_document(document: Document) -> PolicyResult:
    """Read the policy result that `policy_result_document` wrote.

    Raises:
        MalformedDocument: the document is not a policy result.
    """
    return PolicyResult.from_document(document)


def refusal_documents(refusals: Iterable[Refusal]) -> list[dict[str, str]]:
    """Return refusals as JSON, in the same form as in stored checks."""
    return [{"kind": r.kind.value, "code": r.code, "sentence": r.sentence} for r in refusals]


def refusals_from_documents(documents: Iterable[Document]) -> tuple[Refusal, ...]:
    """Read the refusals that `refusal_documents` wrote."""
    return tuple(
        Refusal(RefusalKind(document["kind"]), document["code"], document["sentence"])
        for document in documents
    )


def judgement_document(judgement: TransitionJudgement) -> dict[str, Any]:
    """Return the judgement of a move by every rule as JSON."""
    return {
        "from_stage": judgement.from_stage.value,
        "to_stage": judgement.to_stage.value,
        "allowed": judgement.allowed,
        "refusals": refusal_documents(judgement.refusals),
        "policy_result": policy_result_document(judgement.policy_result)
        if judgement.policy_result
        else None,
        "approvals_required": judgement.approvals_required,
        "approvals_given": judgement.approvals_given,
        "approvals_ignored": judgement.approvals_ignored,
        "warnings": refusal_documents(judgement.warnings),
    }


@reading("judgement")
def judgement_from_document(document: Document) -> TransitionJudgement:
    """Read the judgement that `judgement_document` wrote.

    Raises:
        MalformedDocument: the document is not a judgement.
    """
    policy_result = document["policy_result"]
    return TransitionJudgement(
        from_stage=Stage(document["from_stage"]),
        to_stage=Stage(document["to_stage"]),
        refusals=refusals_from_documents(document["refusals"]),
        policy_result=policy_result_from_document(policy_result) if policy_result else None,
        approvals_required=document["approvals_required"],
        approvals_given=document["approvals_given"],
        approvals_ignored=document.get("approvals_ignored", 0),
        warnings=refusals_from_documents(document["warnings"]),
    )
