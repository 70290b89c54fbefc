"""Tables that administrators can see and no one can change in the admin."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission, has_permission
from obeya.records import Channel


class ReadOnlyAdmin(admin.ModelAdmin):
    """A table that administrators can see and no one can change here."""

    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the user is an administrator."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return whether the user is an administrator."""
        return isinstance(request.user, models.User) and has_permission(
            request.user, Permission.ADMINISTER
        )

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False for everyone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False for everyone."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False for everyone."""
        return False


class OfVersionAdmin(ReadOnlyAdmin):
    """A table whose rows belong to a version, or to a model."""

    list_select_related: ClassVar[tuple[str, ...]] = ("version__model",)
    search_fields: ClassVar[tuple[str, ...]] = ("version__model__name", "key")
    raw_id_fields = ("version",)
    ordering = ("-pk",)

    @admin.display(description="version")
    def title(self, row: Any) -> str:
        """``resnet50 v4``."""
        return f"{row.version.model.name} v{row.version.number}"


class DocumentAdmin(ReadOnlyAdmin):
    """A table with JSON columns, which are displayed indented."""

    documents: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def indented(document: object) -> SafeString:
        """Return a document as indented JSON."""
        return format_html("<pre>{}</pre>", json.dumps(document, ensure_ascii=False, indent=2))


def actor_of(request: HttpRequest) -> Actor:
    """Return the actor of a request to the admin."""
    if not isinstance(request.user, models.User):
        raise TypeError("only signed-in accounts can use the admin")
    return Actor(request.user, Channel.PAGE)
