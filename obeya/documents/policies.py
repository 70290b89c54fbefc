"""Promotion policies as JSON."""

from __future__ import annotations

from typing import Any

from obeya.documents.reading import Document
from obeya.errors import InvalidInput
from obeya.policy.policy import PromotionPolicy


def policy_document(policy: PromotionPolicy) -> dict[str, Any]:
    """A policy, as its revisions hold it too."""
    return policy.to_document()


def policy_from_document(document: Document) -> PromotionPolicy:
    """The policy that `policy_document` wrote, or somebody by hand.

    Raises:
        InvalidInput: a requirement is of no kind, or a value cannot be; the sentence says which.
    """
    try:
        return PromotionPolicy.from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"The policy cannot be read: {error}.", field="requirements") from error
