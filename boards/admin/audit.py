"""The log."""

from __future__ import annotations

from django.contrib import admin

from boards import models
from boards.admin.read_only import ReadOnlyAdmin


class EventAdmin(ReadOnlyAdmin):
    """Events of the log."""

    list_display = (
        "occurred_at",
        "actor",
        "channel",
        "action",
        "model",
        "number",
        "from_stage",
        "to_stage",
        "sequence",
        "short_hash",
    )
    list_filter = ("action", "channel", "to_stage", "occurred_at")
    list_select_related = ("model", "version", "actor")
    search_fields = ("=hash", "model__name", "actor__username", "=operation")
    ordering = ("-occurred_at", "-pk")
    fields = (
        "model",
        "version",
        "sequence",
        "occurred_at",
        "recorded_at",
        "actor",
        "channel",
        "action",
        "from_stage",
        "to_stage",
        "operation",
        "reason",
        "canonical_text",
        "previous_hash",
        "hash",
    )
    readonly_fields = ("reason",)

    @admin.display(description="version")
    def number(self, event: models.AuditEvent) -> str:
        """``v4``, or nothing."""
        return f"v{event.version.number}" if event.version else "-"

    @admin.display(description="hash")
    def short_hash(self, event: models.AuditEvent) -> str:
        """The start of the hash."""
        return event.hash[:12]

    @admin.display(description="texts")
    def reason(self, event: models.AuditEvent) -> str:
        """The free texts of the event by their role."""
        return "\n".join(f"{text.role}: {text.text}" for text in event.texts.all()) or "-"


admin.site.register(models.AuditEvent, EventAdmin)
admin.site.register(models.StageTransition, EventAdmin)


@admin.register(models.AuditText)
class AuditTextAdmin(ReadOnlyAdmin):
    """Free texts of events."""

    list_display = ("event_id", "role", "start")
    list_filter = ("role",)
    search_fields = ("text",)
    ordering = ("-pk",)

    @admin.display(description="text")
    def start(self, text: models.AuditText) -> str:
        """The first words."""
        return text.text[:120]


@admin.register(models.SiteChain)
class SiteChainAdmin(ReadOnlyAdmin):
    """The head of the site's chain."""

    list_display = ("uid", "chain_length", "chain_hash", "chain_occurred_at")
    readonly_fields = ("uid", "chain_length", "chain_hash", "chain_occurred_at")


@admin.register(models.VerificationRun)
class VerificationRunAdmin(ReadOnlyAdmin):
    """Verifications of the log."""

    list_display = ("made_at", "made_by", "channel", "is_full", "events", "left", "broken_count")
    list_filter = ("is_full", "channel", "made_at")
    list_select_related = ("made_by",)
    ordering = ("-pk",)


@admin.register(models.VerifiedChain)
class VerifiedChainAdmin(ReadOnlyAdmin):
    """How far each chain was verified."""

    list_display = ("chain", "length", "hash", "problem", "verified_at")
    search_fields = ("=chain",)
    ordering = ("-verified_at", "-pk")
