"""Tables: columns, constraints and indexes.

The rules are in `obeya`, the writes in `boards.registry`.
"""

from boards.models.access import (
    ApiToken,
    FailedSignIns,
    IdempotentRequest,
    OneTimeLink,
    PasswordAttempts,
    TokenAddress,
    User,
)
from boards.models.artifacts import ArtifactFile, Blob, BlobUpload, RunFile
from boards.models.audit import AuditEvent, AuditText, SiteChain, StageTransition
from boards.models.catalog import Alias, ModelTag, ModelVersion, RegisteredModel, VersionTag
from boards.models.evidence import Metric, MetricDefinition, PolicyCheck
from boards.models.governance import (
    Andon,
    GovernedAlias,
    Guardrail,
    LiveValue,
    TransitionRequest,
    Vote,
    Waiver,
    WipLimit,
)
from boards.models.installation import Installation
from boards.models.policy import PolicyRevision
from boards.models.verification import VerificationRun, VerifiedChain
from boards.models.webhooks import (
    Delivery,
    DeliveryAttempt,
    HeadsPublished,
    Webhook,
    WebhookMessage,
)

__all__ = [
    "Alias",
    "Andon",
    "ApiToken",
    "ArtifactFile",
    "AuditEvent",
    "AuditText",
    "Blob",
    "BlobUpload",
    "Delivery",
    "DeliveryAttempt",
    "FailedSignIns",
    "GovernedAlias",
    "Guardrail",
    "HeadsPublished",
    "IdempotentRequest",
    "Installation",
    "LiveValue",
    "Metric",
    "MetricDefinition",
    "ModelTag",
    "ModelVersion",
    "OneTimeLink",
    "PasswordAttempts",
    "PolicyCheck",
    "PolicyRevision",
    "RegisteredModel",
    "RunFile",
    "SiteChain",
    "StageTransition",
    "TokenAddress",
    "TransitionRequest",
    "User",
    "VerificationRun",
    "VerifiedChain",
    "VersionTag",
    "Vote",
    "Waiver",
    "Webhook",
    "WebhookMessage",
    "WipLimit",
]
