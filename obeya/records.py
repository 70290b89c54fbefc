"""What the registry hands out: frozen dataclasses, the same from every implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from obeya.metrics import Metric
from obeya.stages import Stage


class Channel(StrEnum):
    """How an actor came in."""

    PAGE = "page"
    API = "api"
    MLFLOW = "mlflow"
    CLI = "cli"
    PYTHON = "python"
    SYSTEM = "system"


class Action(StrEnum):
    """What an audit event says was done."""

    MODEL_REGISTERED = "registered_model.registered"
    MODEL_RENAMED = "registered_model.renamed"
    MODEL_DESCRIBED = "registered_model.described"
    MODEL_TAGGED = "registered_model.tag_set"
    MODEL_UNTAGGED = "registered_model.tag_deleted"
    MODEL_CONFIGURED = "registered_model.configured"
    MODEL_DELETED = "registered_model.deleted"
    VERSION_REGISTERED = "model_version.registered"
    METRICS_LOGGED = "model_version.metrics_logged"
    VERSION_DESCRIBED = "model_version.described"
    VERSION_TAGGED = "model_version.tag_set"
    VERSION_UNTAGGED = "model_version.tag_deleted"
    STAGE_TRANSITIONED = "model_version.stage_transitioned"
    TRANSITION_REFUSED = "model_version.transition_refused"
    POLICY_CHECKED = "model_version.policy_checked"
    VERSION_DELETED = "model_version.deleted"
    ALIAS_SET = "alias.set"
    ALIAS_DELETED = "alias.deleted"
    POLICY_SET = "promotion_policy.set"
    METRIC_DEFINED = "metric_definition.set"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"

    @property
    def sentence(self) -> str:
        """What happened, for people: ``moved``, ``registered version``, ..."""
        return _SENTENCES[self]


_SENTENCES = {
    Action.MODEL_REGISTERED: "registered the model",
    Action.MODEL_RENAMED: "renamed the model",
    Action.MODEL_DESCRIBED: "described the model",
    Action.MODEL_TAGGED: "tagged the model",
    Action.MODEL_UNTAGGED: "removed a tag from the model",
    Action.MODEL_CONFIGURED: "changed the model's settings",
    Action.MODEL_DELETED: "deleted the model",
    Action.VERSION_REGISTERED: "registered the version",
    Action.METRICS_LOGGED: "logged metrics",
    Action.VERSION_DESCRIBED: "described the version",
    Action.VERSION_TAGGED: "tagged the version",
    Action.VERSION_UNTAGGED: "removed a tag from the version",
    Action.STAGE_TRANSITIONED: "moved the version",
    Action.TRANSITION_REFUSED: "was refused a move",
    Action.POLICY_CHECKED: "checked the policy",
    Action.VERSION_DELETED: "deleted the version",
    Action.ALIAS_SET: "set an alias",
    Action.ALIAS_DELETED: "removed an alias",
    Action.POLICY_SET: "set a promotion policy",
    Action.METRIC_DEFINED: "defined a metric",
    Action.USER_CREATED: "created a user",
    Action.USER_CHANGED: "changed a user",
}


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model as it stands.

    `number` counts from 1 within the model and is never reused. `revision` grows by one with
    every change of the version; it is what a caller states to guard against lost updates.
    `source_run` names the run that made the version and `artifact_uri` where its files are: both
    are opaque text that the registry never opens. Times are UTC.
    """

    model: str
    number: int
    stage: Stage
    revision: int
    created_at: datetime
    stage_entered_at: datetime
    label: str = ""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    artifact_uri: str = ""
    source_run: str = ""
    description: str = ""
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.model} v{self.number}"


@dataclass(frozen=True, slots=True)
class StageTransition:
    """One move of one version. `from_stage` is None for the registration, its first entry.

    `archived` holds the numbers of the versions that the same operation archived.
    """

    model: str
    version: int
    from_stage: Stage | None
    to_stage: Stage
    actor: str
    occurred_at: datetime
    operation_id: str
    reason: str = ""
    archived: tuple[int, ...] = ()
