"""The admin, whose pages show no secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class Admin(AdminSite):
    """Django's admin, whose pages browsers can store for Back like other pages."""

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Return the view without `never_cache`."""
        return super().admin_view(view, cacheable=True)


class ObeyaAdminConfig(AdminConfig):
    """Django's admin with the class above."""

    default_site = "registry_site.admin_site.Admin"
