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
    GUARDRAIL = "guardrail"
    IMPORT = "import"
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
    ARTIFACT_STORED = "model_version.artifact_stored"
    VERSION_TAGGED = "model_version.tag_set"
    VERSION_UNTAGGED = "model_version.tag_deleted"
    STAGE_TRANSITIONED = "model_version.stage_transitioned"
    VERSION_ROLLED_BACK = "model_version.rolled_back"
    TRANSITION_REFUSED = "model_version.transition_refused"
    POLICY_CHECKED = "model_version.policy_checked"
    VERSION_DELETED = "model_version.deleted"
    ALIAS_SET = "alias.set"
    ALIAS_DELETED = "alias.deleted"
    REQUEST_OPENED = "transition_request.opened"
    REQUEST_APPROVED = "transition_request.approved"
    REQUEST_COMPLETED = "transition_request.completed"
    REQUEST_REJECTED = "transition_request.rejected"
    REQUEST_WITHDRAWN = "transition_request.withdrawn"
    REQUEST_EXPIRED = "transition_request.expired"
    WAIVER_GRANTED = "waiver.granted"
    WAIVER_REVOKED = "waiver.revoked"
    GUARDRAIL_SET = "guardrail.set"
    GUARDRAIL_REMOVED = "guardrail.removed"
    ANDON_RAISED = "andon.raised"
    ANDON_CLEARED = "andon.cleared"
    WIP_LIMIT_SET = "wip_limit.set"
    WIP_LIMIT_REMOVED = "wip_limit.removed"
    POLICY_SET = "promotion_policy.set"
    POLICY_REMOVED = "promotion_policy.removed"
    METRIC_DEFINED = "metric_definition.set"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    TOKEN_CREATED = "api_token.created"  # noqa: S105 - the name of an action
    TOKEN_REVOKED = "api_token.revoked"  # noqa: S105 - the name of an action
    USER_LINK_MADE = "user.link_made"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 - the name of an action
    WEBHOOK_ENABLED = "webhook.enabled"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_REMOVED = "webhook.removed"

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
    Action.ARTIFACT_STORED: "stored the artifact",
    Action.VERSION_TAGGED: "tagged the version",
    Action.VERSION_UNTAGGED: "removed a tag from the version",
    Action.STAGE_TRANSITIONED: "moved the version",
    Action.VERSION_ROLLED_BACK: "moved the version in a rollback",
    Action.TRANSITION_REFUSED: "was refused a move",
    Action.POLICY_CHECKED: "checked the policy",
    Action.VERSION_DELETED: "deleted the version",
    Action.ALIAS_SET: "set an alias",
    Action.ALIAS_DELETED: "removed an alias",
    Action.REQUEST_OPENED: "requested a move",
    Action.REQUEST_APPROVED: "approved a request",
    Action.REQUEST_COMPLETED: "completed a request",
    Action.REQUEST_REJECTED: "rejected a request",
    Action.REQUEST_WITHDRAWN: "withdrew a request",
    Action.REQUEST_EXPIRED: "let a request expire",
    Action.WAIVER_GRANTED: "waived requirements",
    Action.WAIVER_REVOKED: "revoked a waiver",
    Action.GUARDRAIL_SET: "set a guardrail",
    Action.GUARDRAIL_REMOVED: "removed a guardrail",
    Action.ANDON_RAISED: "raised an andon",
    Action.ANDON_CLEARED: "cleared an andon",
    Action.WIP_LIMIT_SET: "set a WIP limit",
    Action.WIP_LIMIT_REMOVED: "removed a WIP limit",
    Action.POLICY_SET: "set a promotion policy",
    Action.POLICY_REMOVED: "removed a promotion policy",
    Action.METRIC_DEFINED: "defined a metric",
    Action.USER_CREATED: "created a user",
    Action.USER_CHANGED: "changed a user",
    Action.TOKEN_CREATED: "made an API token",
    Action.TOKEN_REVOKED: "revoked an API token",
    Action.USER_LINK_MADE: "made a one-time link",
    Action.WEBHOOK_CREATED: "made a webhook endpoint",
    Action.WEBHOOK_CHANGED: "changed a webhook endpoint",
    Action.WEBHOOK_SECRET_ROTATED: "gave a webhook endpoint a new secret",
    Action.WEBHOOK_ENABLED: "enabled a webhook endpoint",
    Action.WEBHOOK_DISABLED: "disabled a webhook endpoint",
    Action.WEBHOOK_REMOVED: "removed a webhook endpoint",
}

MOVES = (Action.VERSION_REGISTERED, Action.STAGE_TRANSITIONED, Action.VERSION_ROLLED_BACK)
"""The actions that bring a version into a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """The current state of one version of a registered model.

    `version` counts from 1 within the model and is never reused. `revision` grows by one with every
    change of the version; it is what a caller states to guard against lost updates. `measurements`
    are the metrics with their samples, standard error and dataset; `metrics` are their values only.
    `source_run` is the run that created the version and `artifact_path` is where its files are:
    both are opaque text that the registry never opens. `artifact_digest` (``sha256:`` and 64 hex
    digits) is that of the files: as reckoned where they are stored in the registry, else as who
    registered the version stated it, empty when not stated. `artifact_size` is what the stored
    files have in bytes, None where there are none; `artifact_warnings` is what was found in them.
    Times are UTC; `updated_at` is that of the last change.
    """

    model: str
    version: int
    stage: Stage
    revision: int
    created_at: datetime
    stage_entered_at: datetime
    label: str = ""
    measurements: Mapping[str, Metric] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    artifact_path: str = ""
    artifact_digest: str = ""
    artifact_size: int | None = None
    artifact_warnings: tuple[str, ...] = ()
    source_run: str = ""
    description: str = ""
    owner: str = ""
    updated_at: datetime | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.model} v{self.version}"

    @property
    def metrics(self) -> Mapping[str, float]:
        """The value of each metric, by name."""
        return {name: metric.value for name, metric in self.measurements.items()}


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model as it stands. Times are UTC.

    `stages` counts its versions by stage, `aliases` holds the number each alias points at,
    `champion` is the number of the version that entered Production last and is there, `latest`
    the highest number; both None where there is none. An empty `workflow` means the site's.
    """

    name: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[Stage, int] = field(default_factory=dict)
    champion: int | None = None
    latest: int | None = None
    workflow: str = ""


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """A version that is to be registered; fields as `ModelRegistry.register_model` takes them.

    `version` None means the model's next.
    """

    model: str
    version: int | None = None
    metrics: Mapping[str, float | Metric] = field(default_factory=dict)
    artifact_path: str = ""
    label: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    source_run: str = ""
    artifact_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTransition:
    """One move of one version. `from_stage` is None for the registration, its first entry.

    `archived` holds the numbers of the versions that the same operation archived.
    `is_rollback` is true of every move of a rollback, `is_imported` of what came with the version
    from another registry.
    """

    model: str
    version: int
    from_stage: Stage | None
    to_stage: Stage
    actor: str
    timestamp: datetime
    operation_id: str
    reason: str = ""
    archived: tuple[int, ...] = ()
    is_rollback: bool = False
    is_imported: bool = False
