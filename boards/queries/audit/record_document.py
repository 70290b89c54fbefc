"""The promotion record as JSON."""

from __future__ import annotations

from typing import Any

from boards.queries.audit.promotion_record import CheckOnRecord, PromotionRecord, WaiverRecord
from obeya.documents.policy_results import refusal_documents

FORMAT = 1


def record_document(record: PromotionRecord) -> dict[str, Any]:
    """Return everything that the page shows, and the current stored check; times are UTC."""
    return {
        "format": FORMAT,
        "kind": record.kind.lower(),
        "action": record.action.value,
        "model": record.model,
        "version": record.number,
        "from_stage": record.from_stage,
        "to_stage": record.to_stage,
        "occurred_at": record.occurred_at,
        "recorded_at": record.recorded_at,
        "actor": record.actor,
        "actor_id": record.actor_id,
        "channel": record.channel.value,
        "approved_last_by": record.approved_by or None,
        "imported_unchecked": record.is_unchecked,
        "reason": record.reason,
        "operation": record.operation,
        "also_moved": [
            {
                "version": other.number,
                "from_stage": other.from_stage,
                "to_stage": other.to_stage,
                "sequence": other.sequence,
            }
            for other in record.others
        ],
        "request": None
        if record.request is None
        else {
            "id": record.request.uid,
            "requested_by": record.request.requested_by,
            "opened_at": record.request.opened_at,
            "reason": record.request.reason,
        },
        "waiver": None if record.waiver is None else _waiver(record.waiver),
        "refusals": refusal_documents(record.refusals),
        "check": None if record.check is None else _check(record.check),
        "chain": {
            "id": record.chain,
            "sequence": record.sequence,
            "hash": record.hash,
            "previous_hash": record.previous_hash,
            "canonical_text": record.canonical_text,
        },
        "verification": {
            "details_are_readable": record.details_are_readable,
            "text_has_its_hash": record.text_has_its_hash,
            "follows_its_predecessor": record.follows_its_predecessor,
            "texts_have_their_digests": record.texts_have_their_digests,
            "check_is_what_the_event_says": record.check_is_sound,
        },
    }


def _check(check: CheckOnRecord) -> dict[str, Any]:
    policy = check.result.policy
    return {
        "id": str(check.uid),
        "digested": check.document,
        "sentence": check.result.policy_result.sentence,
        "policy": None
        if policy is None
        else {
            "model": policy.model,
            "revision": policy.number,
            "set_by": policy.created_by,
            "set_at": policy.created_at,
            "document": policy.policy.to_document(),
        },
        "stated_digest": check.stated_digest,
        "present_digest": check.present_digest,
    }


def _waiver(waiver: WaiverRecord) -> dict[str, Any]:
    return {
        "id": waiver.uid,
        "requirements": list(waiver.requirements),
        "expires_at": waiver.expires_at,
        "granted_by": waiver.granted_by,
        "granted_at": waiver.granted_at,
        "reason": waiver.granted_reason,
        "revoked_at": waiver.revoked_at,
        "revoked_by": waiver.revoked_by,
    }
