"""Promotion policies, as immutable revisions."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from boards.models.catalog import RegisteredModel
from obeya.stages import Stage


class PolicyRevision(models.Model):
    """One revision of the policy of a stage: a model policy, or (null) the default policy.

    `document` is the result of `obeya.policy.policy.PromotionPolicy.to_document`. The revision in
    force is the one that is not superseded; nothing else of a row ever changes.
    """

    model = models.ForeignKey(
        RegisteredModel, models.PROTECT, null=True, related_name="policy_revisions"
    )
    stage = models.CharField(
        max_length=16, choices=[(s.value, s.label) for s in Stage if s.is_gated]
    )
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="policy_revisions"
    )
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "policy revision"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model", "stage", "number"], name="policy_model_number"
            ),
            models.UniqueConstraint(
                fields=["stage", "number"],
                condition=Q(model__isnull=True),
                name="policy_site_number",
            ),
            models.UniqueConstraint(
                fields=["model", "stage"],
                condition=Q(superseded_at__isnull=True),
                name="policy_model_current",
            ),
            models.UniqueConstraint(
                fields=["stage"],
                condition=Q(model__isnull=True, superseded_at__isnull=True),
                name="policy_site_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} policy, revision {self.number}"
