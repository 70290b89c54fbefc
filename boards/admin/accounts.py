"""Accounts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from boards import models, registry
from boards.registry import Actor
from obeya.records import Channel


@admin.register(models.User)
class UserAdmin(DjangoUserAdmin):
    """Accounts. They are never deleted, as the log names them; they are made inactive."""

    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ()),
        ("Registry", {"fields": ("uid",)}),
    )
    readonly_fields = ("uid", "last_login", "date_joined")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.User | None = None
    ) -> tuple[str, ...]:
        """Only a superuser gives rights to accounts or makes another superuser."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if _is_superuser(request):
            return fields
        return (*fields, "is_superuser", "is_staff", "groups", "user_permissions")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Log what was made or changed, in the admin's own transaction."""
        super().save_related(request, form, formsets, change)
        if isinstance(request.user, models.User) and (form.changed_data or not change):
            registry.record_user_change(
                user=form.instance,
                made=not change,
                fields=tuple(form.changed_data),
                actor=Actor(request.user, Channel.PAGE),
                at=timezone.now(),
            )

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody but a superuser changes a superuser, whose password would be a way around."""
        if isinstance(obj, models.User) and obj.is_superuser and not _is_superuser(request):
            return False
        return bool(super().has_change_permission(request, obj))


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, models.User) and request.user.is_superuser
