"""Stored content and the files that refer to it."""

from __future__ import annotations

from django.contrib import admin

from boards import models
from boards.admin.read_only import OfVersionAdmin, ReadOnlyAdmin


@admin.register(models.Blob)
class BlobAdmin(ReadOnlyAdmin):
    """Stored content by its digest."""

    list_display = ("sha256", "size", "created_at", "sent_at", "damage")
    list_filter = ("damage",)
    search_fields = ("=sha256",)
    ordering = ("-sent_at", "-pk")


@admin.register(models.BlobUpload)
class BlobUploadAdmin(ReadOnlyAdmin):
    """Which account uploaded which content."""

    list_display = ("blob", "user")
    list_select_related = ("blob", "user")
    search_fields = ("=blob__sha256", "user__username")
    ordering = ("-pk",)


@admin.register(models.ArtifactFile)
class ArtifactFileAdmin(OfVersionAdmin):
    """Files of versions."""

    list_display = ("title", "path", "blob")
    list_display_links = ("title", "path")
    list_select_related = ("version__model", "blob")
    search_fields = ("version__model__name", "path", "=blob__sha256")


@admin.register(models.RunFile)
class RunFileAdmin(ReadOnlyAdmin):
    """Files that MLflow clients stored for their runs."""

    list_display = ("path", "user", "stored_at")
    list_select_related = ("user",)
    search_fields = ("path", "user__username")
    ordering = ("-stored_at", "-pk")
