"""The records that the registry returns: frozen dataclasses, the same in every implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from obeya.metrics import Metric
from obeya.stages import Stage


class Channel(StrEnum):
    """The interface through which an actor used the registry."""

    PAGE = "page"
    API = "api"
    MLFLOW = "mlflow"
    CLI = "cli"
    PYTHON = "python"
    GUARDRAIL = "guardrail"
    IMPORT = "import"
    SYSTEM = "system"


class Action(StrEnum):
    """The action of an audit event."""

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
    ARTIFACT_INSPECTED = "model_version.artifact_inspected"
    ARTIFACT_DOWNLOADED = "model_version.artifact_downloaded"
    RUN_FILE_DOWNLOADED = "run_file.downloaded"
    RUN_FILE_STORED = "run_file.stored"
    RUN_FILE_DELETED = "run_file.deleted"
    RUN_FILE_ADOPTED = "run_file.adopted"
    VERSION_TAGGED = "model_version.tag_set"
    VERSION_UNTAGGED = "model_version.tag_deleted"
    STAGE_TRANSITIONED = "model_version.stage_transitioned"
    VERSION_ROLLED_BACK = "model_version.rolled_back"
    TRANSITION_REFUSED = "model_version.transition_refused"
    POLICY_CHECKED = "model_version.policy_checked"
    VERSION_DELETED = "model_version.deleted"
    ALIAS_SET = "alias.set"
    ALIAS_DELETED = "alias.deleted"
    ALIAS_GOVERNED = "governed_alias.set"
    ALIAS_UNGOVERNED = "governed_alias.removed"
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
    USER_ADOPTED = "user.adopted"
    GROUP_ADOPTED = "group.adopted"
    TOKEN_CREATED = "api_token.created"  # noqa: S105 - the name of an action
    TOKEN_REVOKED = "api_token.revoked"  # noqa: S105 - the name of an action
    TOKEN_USED_FROM_NEW_ADDRESS = "api_token.used_from_new_address"  # noqa: S105 - the name of an action
    USER_LINK_MADE = "user.link_made"
    USER_LINK_USED = "user.link_used"
    SIGNED_IN = "user.signed_in"
    SIGN_IN_FAILED = "user.sign_in_failed"
    FAILED_SIGN_INS_COUNTED = "user.sign_ins_failed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 - the name of an action
    WEBHOOK_ENABLED = "webhook.enabled"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_REMOVED = "webhook.removed"

    @property
    def sentence(self) -> str:
        """The action as a phrase for users: ``moved the version``, ``logged metrics``, ..."""
        return _SENTENCES[self]

    @property
    def label(self) -> str:
        """The action as a choice in a list: ``Moved the version``."""
        return _LABELS.get(self) or self.sentence[:1].upper() + self.sentence[1:]


_SENTENCES = {
    Action.MODEL_REGISTERED: "registered the model",
    Action.MODEL_RENAMED: "renamed the model",
    Action.MODEL_DESCRIBED: "edited the description of the model",
    Action.MODEL_TAGGED: "tagged the model",
    Action.MODEL_UNTAGGED: "removed a tag from the model",
    Action.MODEL_CONFIGURED: "changed the model's settings",
    Action.MODEL_DELETED: "deleted the model",
    Action.VERSION_REGISTERED: "registered the version",
    Action.METRICS_LOGGED: "logged metrics",
    Action.VERSION_DESCRIBED: "edited the description of the version",
    Action.ARTIFACT_STORED: "stored the artifact",
    Action.ARTIFACT_INSPECTED: "inspected the artifact again",
    Action.ARTIFACT_DOWNLOADED: "downloaded a file of the version",
    Action.RUN_FILE_DOWNLOADED: "downloaded a file of a run",
    Action.RUN_FILE_STORED: "stored a file of a run",
    Action.RUN_FILE_DELETED: "deleted a file of a run",
    Action.RUN_FILE_ADOPTED: "recorded files of runs that have no events",
    Action.VERSION_TAGGED: "tagged the version",
    Action.VERSION_UNTAGGED: "removed a tag from the version",
    Action.STAGE_TRANSITIONED: "moved the version",
    Action.VERSION_ROLLED_BACK: "moved the version in a rollback",
    Action.TRANSITION_REFUSED: "had a move refused",
    Action.POLICY_CHECKED: "checked the policy",
    Action.VERSION_DELETED: "deleted the version",
    Action.ALIAS_SET: "set an alias",
    Action.ALIAS_DELETED: "removed an alias",
    Action.ALIAS_GOVERNED: "configured a governed alias",
    Action.ALIAS_UNGOVERNED: "removed the configuration of a governed alias",
    Action.REQUEST_OPENED: "requested a move",
    Action.REQUEST_APPROVED: "approved a request",
    Action.REQUEST_COMPLETED: "completed a request",
    Action.REQUEST_REJECTED: "rejected a request",
    Action.REQUEST_WITHDRAWN: "withdrew a request",
    Action.REQUEST_EXPIRED: "closed an expired request",
    Action.WAIVER_GRANTED: "waived requirements",
    Action.WAIVER_REVOKED: "revoked a waiver",
    Action.GUARDRAIL_SET: "set a guardrail",
    Action.GUARDRAIL_REMOVED: "removed a guardrail",
    Action.ANDON_RAISED: "raised an alert (andon)",
    Action.ANDON_CLEARED: "cleared an alert (andon)",
    Action.WIP_LIMIT_SET: "set a WIP limit",
    Action.WIP_LIMIT_REMOVED: "removed a WIP limit",
    Action.POLICY_SET: "set a promotion policy",
    Action.POLICY_REMOVED: "removed a promotion policy",
    Action.METRIC_DEFINED: "defined a metric",
    Action.USER_CREATED: "created a user",
    Action.USER_CHANGED: "changed a user",
    Action.USER_ADOPTED: "recorded a user that existed without an event",
    Action.GROUP_ADOPTED: "recorded the permissions of a group",
    Action.TOKEN_CREATED: "created an API token",
    Action.TOKEN_REVOKED: "revoked an API token",
    Action.TOKEN_USED_FROM_NEW_ADDRESS: "used an API token from a new address",
    Action.USER_LINK_MADE: "created a sign-in link",
    Action.USER_LINK_USED: "used a sign-in link",
    Action.SIGNED_IN: "signed in",
    Action.SIGN_IN_FAILED: "refused a sign-in",
    Action.FAILED_SIGN_INS_COUNTED: "counted failed sign-ins",
    Action.WEBHOOK_CREATED: "created a webhook endpoint",
    Action.WEBHOOK_CHANGED: "changed a webhook endpoint",
    Action.WEBHOOK_SECRET_ROTATED: "rotated the secret of a webhook endpoint",
    Action.WEBHOOK_ENABLED: "enabled a webhook endpoint",
    Action.WEBHOOK_DISABLED: "disabled a webhook endpoint",
    Action.WEBHOOK_REMOVED: "removed a webhook endpoint",
}

# Where the phrase needs the name of a version beside it.
_LABELS = {
    Action.TRANSITION_REFUSED: "Refused a move",
    Action.VERSION_ROLLED_BACK: "Rolled back",
}

MOVES = (Action.VERSION_REGISTERED, Action.STAGE_TRANSITIONED, Action.VERSION_ROLLED_BACK)
"""The actions that put a version into a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """The current state of one version of a registered model.

    `version` counts from 1 within the model and is never reused. `revision` increases by one with
    every change of the version; callers state it to prevent lost updates. `measurements` are the
    metrics with their samples, standard error and dataset; `metrics` are only their values.
    `source_run` is the run that created the version and `artifact_path` is the location of its
    files: both are opaque text that the registry never opens. `artifact_digest` (``sha256:`` and 64
    hex digits) is the digest of the files: computed from the files if the registry stores them,
    else as stated at the registration of the version, empty if not stated. `artifact_size` is the
    size of the stored files in bytes, None if there are none; `artifact_warnings` are the findings
    in them. `imported_unchecked`: an import placed the version in its stage, and no policy was
    checked. Times are UTC; `updated_at` is the time of the last change.
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
    imported_unchecked: bool = False
    updated_at: datetime | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.model} v{self.version}"

    @property
    def metrics(self) -> Mapping[str, float]:
        """The value of each metric, by name."""
        return {name: metric.value for name, metric in self.measurements.items()}


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """The current state of a registered model. Times are UTC.

    `stages` are the numbers of its versions by stage, `aliases` the version numbers by alias.
    `champion` is the number of the existing version that entered Production last, `latest` the
    highest number; both are None if there is none. An empty `workflow` means the default workflow.
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
    """A version to register; its fields are the arguments of `ModelRegistry.register_model`.

    `version` None means the model's next number.
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
    allow_similar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTransition:
    """One move of one version. `from_stage` is None for the registration, the first move.

    `archived` are the numbers of the versions that the same operation archived. `is_rollback` is
    true for every move of a rollback, `is_imported` for moves imported with the version from
    another registry. `imported_unchecked`: after the move, the version is “imported, not checked”.
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
    imported_unchecked: bool = False
