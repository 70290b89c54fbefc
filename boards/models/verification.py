"""Outcomes of verifications of the audit log. Only the log is evidence; these are not."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from boards.models.choices import choices
from obeya.records import Channel


class VerificationRun(models.Model):
    """One verification: its actor, its extent, and its outcome.

    `is_full` means that every chain was recomputed from its first event, and the tables compared
    with the log; otherwise from where the verification before it ended, the chains only. `events`
    were recomputed; `left` were not, if the run was bounded. `broken` has a sentence for each chain
    that is broken, `differences` the first sentences about rows that differ from the log.
    """

    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="verifications"
    )
    channel = models.CharField(max_length=16, choices=choices(Channel))
    is_full = models.BooleanField()
    chains = models.PositiveBigIntegerField()
    events = models.PositiveBigIntegerField()
    left = models.PositiveBigIntegerField(default=0)
    broken = models.JSONField(default=list)
    broken_count = models.PositiveBigIntegerField(default=0)
    differences = models.JSONField(default=list)
    difference_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "verification"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"Verification of {self.made_at:%Y-%m-%d %H:%M}"


class VerifiedChain(models.Model):
    """How far a chain was verified: up to which event, and that event's hash.

    `chain` is the id of the chain. `problem` says what is wrong with the link after that event,
    empty if nothing is wrong.
    """

    chain = models.UUIDField(unique=True)
    length = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)
    problem = models.TextField(blank=True)
    verified_at = models.DateTimeField()

    class Meta:
        verbose_name = "verified chain"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.chain} up to {self.length}"
