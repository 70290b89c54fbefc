"""The audit log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from boards import models
from boards.admin.read_only import ReadOnlyAdmin
from boards.models.choices import choices, words
from obeya.records import Action


class ActionFilter(admin.SimpleListFilter):
    """Filter by each member of `Action`, because the column has no choices to filter by."""

    title = "action"
    parameter_name = "action__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return each action with its words."""
        return choices(Action)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[models.AuditEvent]
    ) -> QuerySet[models.AuditEvent]:
        """Return only events of the selected action."""
        picked = self.value()
        return queryset if picked is None else queryset.filter(action=picked)


class EventAdmin(ReadOnlyAdmin):
    """Events of the audit log."""

    list_display = (
        "occurred_at",
        "actor",
        "channel",
        "action_words",
        "model",
        "number",
        "from_stage",
        "to_stage",
        "sequence",
        "short_hash",
    )
    list_filter = (ActionFilter, "channel", "to_stage", "occurred_at")
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
        "action_words",
        "from_stage",
        "to_stage",
        "operation",
        "reason",
        "canonical_text",
        "previous_hash",
        "hash",
    )
    readonly_fields = ("action_words", "reason")

    @admin.display(description="action", ordering="action")
    def action_words(self, event: models.AuditEvent) -> str:
        """``model version.stage transitioned``."""
        return words(event.action)

    @admin.display(description="version")
    def number(self, event: models.AuditEvent) -> str:
        """``v4``, or a hyphen."""
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
    """The head of the site chain."""

    list_display = ("uid", "chain_length", "chain_hash", "chain_occurred_at")
    readonly_fields = ("uid", "chain_length", "chain_hash", "chain_occurred_at")


@admin.register(models.VerificationRun)
class VerificationRunAdmin(ReadOnlyAdmin):
    """Verifications of the log."""

    list_display = (
        "made_at",
        "made_by",
        "channel",
        "is_full",
        "events",
        "left",
        "broken_count",
        "difference_count",
    )
    list_filter = ("is_full", "channel", "made_at")
    list_select_related = ("made_by",)
    ordering = ("-pk",)


@admin.register(models.VerifiedChain)
class VerifiedChainAdmin(ReadOnlyAdmin):
    """How far each chain was verified."""

    list_display = ("chain", "length", "hash", "problem", "verified_at")
    search_fields = ("=chain",)
    ordering = ("-verified_at", "-pk")
