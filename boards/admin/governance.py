"""Requests and reviews, waivers, guardrails, WIP limits, governed aliases."""

from __future__ import annotations

from django.contrib import admin

from boards import models
from boards.admin.read_only import OfVersionAdmin, ReadOnlyAdmin


@admin.register(models.TransitionRequest)
class TransitionRequestAdmin(OfVersionAdmin):
    """Transition requests."""

    list_display = ("title", "to_stage", "status", "requested_by", "opened_at", "closed_at")
    list_filter = ("status", "to_stage")
    list_select_related = ("version__model", "requested_by")
    search_fields = ("version__model__name", "requested_by__username", "=uid")


@admin.register(models.Vote)
class ReviewAdmin(ReadOnlyAdmin):
    """Reviews of requests."""

    list_display = ("request_id", "voter", "decision", "voted_at")
    list_filter = ("decision",)
    list_select_related = ("voter",)
    search_fields = ("voter__username", "=request__uid")
    raw_id_fields = ("request",)
    ordering = ("-pk",)


@admin.register(models.Waiver)
class WaiverAdmin(OfVersionAdmin):
    """Waivers."""

    list_display = ("title", "stage", "granted_by", "granted_at", "expires_at", "revoked_at")
    list_filter = ("stage", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("version__model", "granted_by")
    search_fields = ("version__model__name", "granted_by__username", "=uid")


@admin.register(models.Guardrail)
class GuardrailAdmin(ReadOnlyAdmin):
    """Guardrails of models."""

    list_display = ("model", "metric", "comparison", "bound", "auto_rollback")
    list_select_related = ("model",)
    search_fields = ("model__name", "metric")
    ordering = ("-pk",)


@admin.register(models.LiveValue)
class LiveValueAdmin(OfVersionAdmin):
    """The last reported live values."""

    list_display = ("title", "metric", "value", "reported_at")
    search_fields = ("version__model__name", "metric")


@admin.register(models.Andon)
class AndonAdmin(OfVersionAdmin):
    """Alerts (andons), raised and cleared."""

    list_display = ("title", "metric", "comparison", "bound", "value", "raised_at", "cleared_at")
    list_filter = (("cleared_at", admin.EmptyFieldListFilter),)
    search_fields = ("version__model__name", "metric")


@admin.register(models.WipLimit)
class WipLimitAdmin(ReadOnlyAdmin):
    """WIP limits of models and, without a model, of the whole registry."""

    list_display = ("stage", "model", "limit", "mode")
    list_select_related = ("model",)
    search_fields = ("model__name",)
    ordering = ("-pk",)


@admin.register(models.GovernedAlias)
class GovernedAliasAdmin(ReadOnlyAdmin):
    """Governed aliases of models and, without a model, of the whole registry."""

    list_display = ("alias", "model", "stage", "mode")
    list_select_related = ("model",)
    search_fields = ("model__name", "alias")
    ordering = ("-pk",)
