"""The core of Obeya: the rules of a model registry, without a server.

`RemoteRegistry`, the client of a server, is imported on first access.
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
"""The name of `Stage` in the first documentation of the registry."""

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
    # Code that needs only the rules does not load the HTTP client.
    if name == "RemoteRegistry":
        from obeya.remote.registry import RemoteRegistry

        return RemoteRegistry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
