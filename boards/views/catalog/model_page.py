"""The page of one registered model."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.catalog.model_page import (
    SORTED_MAX,
    SORTS,
    ModelPage,
    VersionsQuery,
    model_page,
)
from boards.queries.facts.policies_in_force import policies_of
from boards.queries.facts.records import find_model
from boards.views.board.board_as_of import answer_production_on
from boards.views.http import Request, needs
from boards.views.policies.operations import operations_context
from boards.views.shell_commands import register_command
from boards.views.table_head import Head, head
from boards.views.timeline import timeline
from obeya.metrics import Direction


@require_safe
@needs(Permission.VIEW)
def model(request: Request, name: str) -> HttpResponse:
    """Show the model's versions with all metrics, and its history in Production."""
    query = VersionsQuery.parse(request.GET.dict())
    page = model_page(name, query)
    heads, metric_heads = _heads(page)
    production_on = answer_production_on(request, name)
    row = find_model(name)
    return render(
        request,
        "model.html",
        {
            "section": "models",
            "page": page,
            "query": query,
            "timeline": timeline(page.spans),
            "heads": heads,
            "metric_heads": metric_heads,
            "sorted_max": SORTED_MAX,
            "production_on": production_on,
            "policies": policies_of(row),
            "register_command": "" if page.versions else register_command(request, name),
            "may_edit_policy": has_permission(request.user, Permission.EDIT_POLICY),
            **operations_context(request, row),
        },
        status=400 if production_on.problem else 200,
    )


def _heads(page: ModelPage) -> tuple[list[Head], list[Head]]:
    """Return the headings of the table: those of the fixed columns, and those of the metrics."""
    query = page.query
    fixed = [
        head(
            name,
            name.capitalize(),
            query.by,
            descending=query.descending,
            first=name == "version",
        )
        for name in SORTS
    ]
    metrics = [
        head(
            f"metric:{column.name}",
            f"{column.short_title} ({column.unit})" if column.unit else column.short_title,
            query.by,
            descending=query.descending,
            # The best first: the highest, or if lower is better the lowest.
            first=column.direction is not Direction.LOWER,
            hint=column.name,
        )
        for column in page.columns
    ]
    return fixed, metrics
