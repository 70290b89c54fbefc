"""Evidence: metrics, definitions of metrics, and stored checks."""

from __future__ import annotations

import sys
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from boards.models.catalog import ModelVersion
from boards.models.choices import STAGES, choices
from boards.models.policy import PolicyRevision
from obeya import names
from obeya.metrics import Direction, Scale


class Metric(models.Model):
    """One measurement of one version; the fields are those of `obeya.metrics.Metric`."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=names.METRIC_NAME_MAX)
    value = models.FloatField()
    samples = models.PositiveBigIntegerField(null=True, blank=True)
    standard_error = models.FloatField(null=True, blank=True)
    dataset = models.CharField(max_length=names.DATASET_MAX, blank=True)
    logged_at = models.DateTimeField()

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "name"], name="metric_name"),
            # PostgreSQL sorts NaN above every number, so the upper bound refuses it too.
            models.CheckConstraint(
                condition=Q(value__gte=-sys.float_info.max, value__lte=sys.float_info.max),
                name="metric_finite",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["name", "value", "version"], name="metric_value"),
        ]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class MetricDefinition(models.Model):
    """The definition of a metric; the fields are those of `obeya.metrics.MetricDefinition`."""

    name = models.CharField(max_length=names.METRIC_NAME_MAX, unique=True)
    title = models.CharField(max_length=40, blank=True)
    direction = models.CharField(
        max_length=16, choices=choices(Direction), default=Direction.UNKNOWN.value
    )
    unit = models.CharField(max_length=24, blank=True)
    scale = models.CharField(
        max_length=16, blank=True, choices=choices(Scale), default=Scale.NONE.value
    )
    description = models.TextField(blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name = "metric definition"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class PolicyCheck(models.Model):
    """A stored check: the policy result, and the evidence frozen at the time of the check.

    `evidence` contains the metrics of the version and of the champion at that time, the approvals
    and the waivers; `evidence_digest` is what approvals were bound to. `allowed` is null for a
    check that was run without a move.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="checks")
    policy_revision = models.ForeignKey(
        PolicyRevision, models.PROTECT, null=True, related_name="checks"
    )
    from_stage = models.CharField(max_length=16, choices=STAGES)
    to_stage = models.CharField(max_length=16, choices=STAGES, blank=True)
    passed = models.BooleanField()
    allowed = models.BooleanField(null=True)
    evidence_digest = models.CharField(max_length=64, blank=True)
    verdict = models.JSONField()
    refusals = models.JSONField(default=list)
    evidence = models.JSONField()
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="checks"
    )

    class Meta:
        verbose_name = "policy check"
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["version", "-made_at", "-id"], name="check_version"),
        ]

    def __str__(self) -> str:
        return f"Check {self.uid}"
