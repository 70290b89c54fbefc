"""The append-only log. The database refuses to change it: see `boards.triggers`."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from boards.models.choices import STAGES, choices
from obeya.audit.chain import GENESIS, UnreadableText, read_canonical_text
from obeya.records import MOVES, Channel


class ChainHead(models.Model):
    """The end of a chain of events: its length, its last hash and the time of its last event.

    Stored on the row that the write path locks while it appends.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    chain_length = models.PositiveBigIntegerField(default=0, editable=False)
    chain_hash = models.CharField(max_length=64, default=GENESIS, editable=False)
    chain_occurred_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class SiteChain(ChainHead):
    """The chain of all events that belong to no model. There is one row."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Site chain {self.uid}"


class AuditEvent(models.Model):
    """One event. `canonical_text` is what was hashed; the other columns repeat it for queries.

    `model` is null for an event of the site chain, `actor` for the registry itself.
    """

    model = models.ForeignKey(
        "boards.RegisteredModel", models.PROTECT, null=True, related_name="events"
    )
    version = models.ForeignKey(
        "boards.ModelVersion", models.PROTECT, null=True, related_name="events"
    )
    sequence = models.PositiveBigIntegerField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="events"
    )
    channel = models.CharField(max_length=16, choices=choices(Channel))
    action = models.CharField(max_length=48)
    from_stage = models.CharField(max_length=16, blank=True, choices=STAGES)
    to_stage = models.CharField(max_length=16, blank=True, choices=STAGES)
    operation = models.UUIDField(null=True)
    canonical_text = models.TextField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = "audit event"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "sequence"], name="event_model_sequence"),
            models.UniqueConstraint(
                fields=["sequence"],
                condition=models.Q(model__isnull=True),
                name="event_site_sequence",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-occurred_at", "-id"], name="event_when"),
            models.Index(fields=["model", "-occurred_at", "-id"], name="event_model_when"),
            models.Index(fields=["version", "-occurred_at", "-id"], name="event_version_when"),
            models.Index(fields=["actor", "-occurred_at", "-id"], name="event_actor_when"),
            models.Index(fields=["action", "-occurred_at", "-id"], name="event_action_when"),
            models.Index(fields=["channel", "-occurred_at", "-id"], name="event_channel_when"),
            # These two contain all columns that counting a past board needs, so that no row is
            # read.
            models.Index(
                fields=["to_stage", "-occurred_at", "-id", "action", "model", "version"],
                condition=~models.Q(to_stage=""),
                name="event_stage_when",
            ),
            models.Index(
                fields=["from_stage", "-occurred_at", "-id", "action", "model", "version"],
                condition=~models.Q(from_stage=""),
                name="event_from_stage_when",
            ),
            models.Index(
                fields=["operation"],
                condition=models.Q(operation__isnull=False),
                name="event_operation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} #{self.sequence}"

    @property
    def data(self) -> dict[str, Any]:
        """What the event contains beyond its columns: old and new values, the stored check, ...

        Empty if the text cannot be parsed.
        """
        return event_data(self.canonical_text) or {}


def event_members(canonical_text: str) -> dict[str, Any] | None:
    """Return the members of an event; None if its text cannot be parsed.

    Pages show the other columns of such an event; the verification reports it as a broken link.
    """
    try:
        return read_canonical_text(canonical_text)
    except UnreadableText:
        return None


def event_data(canonical_text: str) -> dict[str, Any] | None:
    """Return the member `data` of an event; None if its text cannot be parsed."""
    members = event_members(canonical_text)
    return None if members is None else members["data"]


class AuditText(models.Model):
    """A free text of an event, by its role; the event's hash covers only its digest."""

    event = models.ForeignKey(AuditEvent, models.PROTECT, related_name="texts")
    role = models.CharField(max_length=32)
    text = models.TextField()

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "role"], name="text_event_role"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of event {self.event_id}"


class _Moves(models.Manager["StageTransition"]):
    def get_queryset(self) -> models.QuerySet[StageTransition]:
        return super().get_queryset().filter(action__in=MOVES)


class StageTransition(AuditEvent):
    """The events that moved a version, including its registration."""

    objects: ClassVar[_Moves] = _Moves()

    class Meta:
        proxy = True
        default_permissions = ("view",)
