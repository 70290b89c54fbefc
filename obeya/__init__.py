"""Obeya's core: the rules of a model registry, without a server.

`RemoteRegistry`, which speaks to a server, is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from obeya.comparison import MetricDiff, VersionComparison
from obeya.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, RegistryError
from obeya.memory.registry import InMemoryRegistry
from obeya.metrics import Direction, Metric, MetricDefinition
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import MetricRequirement
from obeya.policy.results import PolicyResult
from obeya.records import ModelVersion, StageTransition
from obeya.refusals import Conflict, InvalidTransition, TransitionRefused
from obeya.registry import ModelRegistry
from obeya.stages import Stage, Workflow

ModelStage = Stage
"""The name that the registry's first documentation uses for `Stage`."""

if TYPE_CHECKING:
    from obeya.remote.registry import RemoteRegistry

__all__ = [
    "AlreadyExists",
    "Comparison",
    "Conflict",
    "Direction",
    "InMemoryRegistry",
    "InvalidInput",
    "InvalidTransition",
    "Metric",
    "MetricDefinition",
    "MetricDiff",
    "MetricRequirement",
    "ModelRegistry",
    "ModelStage",
    "ModelVersion",
    "NotAllowed",
    "NotFound",
    "PolicyResult",
    "PromotionPolicy",
    "RegistryError",
    "RemoteRegistry",
    "Stage",
    "StageTransition",
    "TransitionRefused",
    "VersionComparison",
    "Workflow",
]


def __getattr__(name: str) -> Any:
    # What only needs the rules does not load what speaks HTTP.
    if name == "RemoteRegistry":
        from obeya.remote.registry import RemoteRegistry

        return RemoteRegistry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
