"""The policy in force for a stage and a model."""

from __future__ import annotations

from typing import TypeVar

Policy = TypeVar("Policy")


def guarding_policy(model_policy: Policy | None, default_policy: Policy | None) -> Policy | None:
    """Return the model policy, else the default policy, else None."""
    return default_policy if model_policy is None else model_policy
