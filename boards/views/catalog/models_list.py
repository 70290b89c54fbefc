"""The list of registered models."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission
from boards.queries.catalog.models_list import SORTS, ModelsQuery, models_list
from boards.views.http import Request, needs
from boards.views.shell_commands import register_command
from boards.views.table_head import head


@require_safe
@needs(Permission.VIEW)
def models(request: Request) -> HttpResponse:
    """Show a page of models; for htmx, while the search is typed, only the table."""
    query = ModelsQuery.parse(request.GET.dict())
    partial = request.htmx and not request.htmx.boosted
    response = render(
        request,
        "models.html#results" if partial else "models.html",
        {
            "section": "models",
            "page": models_list(query),
            "register_command": register_command(request),
            "query": query,
            "heads": {
                name: head(
                    name,
                    name.capitalize(),
                    query.by,
                    descending=query.descending,
                    first=name != "name",
                    q=query.text,
                )
                for name in SORTS
            },
        },
    )
    patch_vary_headers(response, ["HX-Request"])
    if partial:
        address = query.url()
        response["HX-Replace-Url"] = reverse("boards:models") + (f"?{address}" if address else "")
    return response
