"""Webhooks: endpoints, messages and deliveries. They have separate pages for management."""

from __future__ import annotations

from django.contrib import admin

from boards import models
from boards.admin.read_only import ReadOnlyAdmin


@admin.register(models.Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    """Endpoints, without their secrets."""

    list_display = ("name", "target", "created_at", "failing_since", "disabled_at", "removed_at")
    list_filter = ("target", ("removed_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "=uid")
    exclude = ("sealed_secret", "sealed_previous", "address")


@admin.register(models.WebhookMessage)
class WebhookMessageAdmin(ReadOnlyAdmin):
    """Messages as they are sent."""

    list_display = ("message_id", "type", "created_at")
    list_filter = ("type",)
    search_fields = ("=message_id",)
    raw_id_fields = ("event",)
    ordering = ("-pk",)


@admin.register(models.Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Deliveries, with their status."""

    list_display = ("message", "webhook", "status", "attempts_made", "next_attempt_at")
    list_filter = ("status",)
    list_select_related = ("message", "webhook")
    search_fields = ("=message__message_id", "webhook__name")
    raw_id_fields = ("message",)
    ordering = ("-pk",)


@admin.register(models.DeliveryAttempt)
class DeliveryAttemptAdmin(ReadOnlyAdmin):
    """Attempts, with the responses."""

    list_display = ("delivery", "made_at", "status_code", "milliseconds")
    list_select_related = ("delivery",)
    search_fields = ("=delivery__message__message_id",)
    raw_id_fields = ("delivery",)
    ordering = ("-pk",)


@admin.register(models.HeadsPublished)
class HeadsPublishedAdmin(ReadOnlyAdmin):
    """The days on which the heads of all chains were published."""

    list_display = ("day", "published_at")
    ordering = ("-day",)
