"""Promotion policies as JSON."""

from __future__ import annotations

from typing import Any

from obeya.documents.reading import Document
from obeya.errors import InvalidInput
from obeya.policy.policy import PromotionPolicy


def policy_document(policy: PromotionPolicy) -> dict[str, Any]:
    """Return a policy as JSON: the form of its revisions, with every member."""
    return {
        **policy.to_document(),
        "count_service_approvals": policy.count_service_approvals,
    }


def policy_from_document(document: Document) -> PromotionPolicy:
    """Read a policy that `policy_document` wrote or that was written by hand.

    Raises:
        InvalidInput: a requirement has an unknown kind, or a value is not valid; the sentence says
            which.
    """
    try:
        return PromotionPolicy.from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"The policy cannot be read: {error}.", field="requirements") from error
