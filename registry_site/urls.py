"""The URLs of all pages and APIs."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from registry_site import health

admin.site.site_header = admin.site.site_title = "Obeya"
admin.site.index_title = "Administration"

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    # Users change their own password on one page, which logs an event; Django's page would not.
    path("admin/password_change/", RedirectView.as_view(pattern_name="boards:set_password")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("boards.api.urls")),
    path("", include("boards.mlflow_protocol.urls")),
    path("", include("boards.urls")),
]

handler400 = "boards.views.errors.bad_request"
handler403 = "boards.views.errors.permission_denied"
handler404 = "boards.views.errors.page_not_found"
handler500 = "boards.views.errors.server_error"
