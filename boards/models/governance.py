"""What governs moves and aliases besides policies: requests, waivers, guardrails, WIP limits."""

from __future__ import annotations

import sys
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from boards.models.catalog import ModelVersion, RegisteredModel
from boards.models.choices import STAGES, choices
from obeya import names
from obeya.aliases.governed import AliasMode
from obeya.policy.bounds import Comparison
from obeya.stages import Stage
from obeya.transitions.limits import LimitMode
from obeya.transitions.requests import Decision, RequestStatus

_GATED = [(stage.value, stage.label) for stage in Stage if stage.is_gated]
_FINITE = {"gte": -sys.float_info.max, "lte": sys.float_info.max}


class TransitionRequest(models.Model):
    """A request to move a version; fields as in `obeya.transitions.requests.TransitionRequest`.

    `evidence_digest` is empty while the request is open, then that of the evidence when it was
    closed. A row can still have the status open after `expires_at`, until the next write to its
    model closes it.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="requests")
    from_stage = models.CharField(max_length=16, choices=STAGES)
    to_stage = models.CharField(max_length=16, choices=_GATED)
    reason = models.TextField(blank=True)
    archive_existing = models.BooleanField(default=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="requests"
    )
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    status = models.CharField(
        max_length=16, choices=choices(RequestStatus), default=RequestStatus.OPEN.value
    )
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    evidence_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "transition request"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "to_stage"],
                condition=Q(status=RequestStatus.OPEN.value),
                name="request_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-opened_at", "-id"], name="request_when"),
            models.Index(fields=["status", "-opened_at", "-id"], name="request_status"),
            models.Index(fields=["requested_by", "-opened_at", "-id"], name="request_mine"),
            models.Index(fields=["version", "-opened_at", "-id"], name="request_version"),
        ]

    def __str__(self) -> str:
        return f"Request {self.uid}"


class Vote(models.Model):
    """One vote on a request, bound to the evidence at the time of the vote. Never changed."""

    request = models.ForeignKey(TransitionRequest, models.PROTECT, related_name="votes")
    voter = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="votes"
    )
    decision = models.CharField(max_length=16, choices=choices(Decision))
    comment = models.TextField(blank=True)
    evidence_digest = models.CharField(max_length=64)
    voted_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        indexes: ClassVar = [models.Index(fields=["request", "id"], name="vote_request")]
        verbose_name = "review"

    def __str__(self) -> str:
        return f"{self.decision} of request {self.request_id}"


class Waiver(models.Model):
    """Requirements waived for one version; fields as in `obeya.policy.waivers.Waiver`."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="waivers")
    stage = models.CharField(max_length=16, choices=_GATED)
    requirements = models.JSONField()
    reason = models.TextField()
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="waivers"
    )
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("granted_at")), name="waiver_expires_later"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["version", "stage"], name="waiver_version"),
            models.Index(fields=["-granted_at", "-id"], name="waiver_when"),
        ]

    def __str__(self) -> str:
        return f"Waiver {self.uid}"


class Guardrail(models.Model):
    """A limit for a live metric; fields as in `obeya.transitions.guardrails.Guardrail`."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="guardrails")
    metric = models.CharField(max_length=names.METRIC_NAME_MAX)
    comparison = models.CharField(max_length=2, choices=choices(Comparison))
    bound = models.FloatField()
    auto_rollback = models.BooleanField(default=False)

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "metric"], name="guardrail_metric"),
            models.CheckConstraint(
                condition=Q(**{f"bound__{op}": value for op, value in _FINITE.items()}),
                name="guardrail_finite",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison} {self.bound}"


class LiveValue(models.Model):
    """The last reported value of a live metric of a version."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="live_values")
    metric = models.CharField(max_length=names.METRIC_NAME_MAX)
    value = models.FloatField()
    reported_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "metric"], name="live_value_metric"),
            models.CheckConstraint(
                condition=Q(**{f"value__{op}": value for op, value in _FINITE.items()}),
                name="live_value_finite",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric}={self.value}"


class Andon(models.Model):
    """An alert (andon): a live value that breached its guardrail, with both; open until cleared."""

    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="andons")
    metric = models.CharField(max_length=names.METRIC_NAME_MAX)
    comparison = models.CharField(max_length=2, choices=choices(Comparison))
    bound = models.FloatField()
    value = models.FloatField()
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "metric"],
                condition=Q(cleared_at__isnull=True),
                name="andon_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["-raised_at"], condition=Q(cleared_at__isnull=True), name="andon_raised"
            ),
        ]
        verbose_name = "alert (andon)"
        verbose_name_plural = "alerts (andon)"

    def __str__(self) -> str:
        return f"{self.metric}={self.value}"


class WipLimit(models.Model):
    """The maximum number of versions in a stage, of one model or (null) of the whole registry."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, null=True, related_name="wip_limits")
    stage = models.CharField(
        max_length=16, choices=[(s.value, s.label) for s in Stage if s is not Stage.ARCHIVED]
    )
    limit = models.PositiveIntegerField()
    mode = models.CharField(max_length=8, choices=choices(LimitMode))

    class Meta:
        verbose_name = "WIP limit"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "stage"], name="limit_model_stage"),
            models.UniqueConstraint(
                fields=["stage"], condition=Q(model__isnull=True), name="limit_site_stage"
            ),
            models.CheckConstraint(condition=Q(limit__gte=1), name="limit_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.limit} in {self.stage}"


class GovernedAlias(models.Model):
    """An alias name governed or set free, for one model or (null) the whole registry.

    Fields as in `obeya.aliases.governed.GovernedAlias`; `stage` is empty for a free name.
    """

    model = models.ForeignKey(
        RegisteredModel, models.CASCADE, null=True, related_name="governed_aliases"
    )
    alias = models.CharField(max_length=names.ALIAS_MAX)
    stage = models.CharField(max_length=16, blank=True, choices=_GATED)
    mode = models.CharField(max_length=8, choices=choices(AliasMode))

    class Meta:
        verbose_name_plural = "governed aliases"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "alias"], name="governed_alias_model"),
            models.UniqueConstraint(
                fields=["alias"], condition=Q(model__isnull=True), name="governed_alias_site"
            ),
            models.CheckConstraint(
                condition=Q(stage="", mode=AliasMode.FREE.value)
                | (~Q(stage="") & ~Q(mode=AliasMode.FREE.value)),
                name="governed_alias_stage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alias} {self.mode}"
