"""Obeya's core: the rules of a model registry, without a server."""

from obeya.comparison import MetricDiff, VersionComparison
from obeya.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    InvalidTransition,
    NotAllowed,
    NotFound,
    RegistryError,
    TransitionRefused,
)
from obeya.memory import InMemoryRegistry
from obeya.metrics import Direction, Metric, MetricDefinition
from obeya.policies import Comparison, MetricRequirement, PromotionPolicy, Verdict
from obeya.records import ModelVersion, StageTransition
from obeya.registry import ModelRegistry
from obeya.stages import Stage, Workflow

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
    "ModelVersion",
    "NotAllowed",
    "NotFound",
    "PromotionPolicy",
    "RegistryError",
    "Stage",
    "StageTransition",
    "TransitionRefused",
    "Verdict",
    "VersionComparison",
    "Workflow",
]
