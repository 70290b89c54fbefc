"""API tokens."""

from __future__ import annotations

from django.contrib import admin

from boards import models
from boards.admin.read_only import ReadOnlyAdmin


@admin.register(models.ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """API tokens; revoked on their owner's page or by `obeya token revoke`."""

    list_display = (
        "name",
        "user",
        "shown",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "=uid")
    exclude = ("token_hash",)
