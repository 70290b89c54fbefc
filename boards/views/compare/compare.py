"""Comparisons of versions, as a page and as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.compare.compare_facts import fact_sections
from boards.queries.compare.compare_page import (
    VERSIONS_MAX,
    ComparePage,
    Side,
    VersionRef,
    compare_page,
    version_offers,
)
from boards.views.compare.compare_csv import comparison_csv, file_name
from boards.views.compare.compare_query import CompareQuery, stated
from boards.views.http import Request, needs
from obeya.errors import InvalidInput, RegistryError

TWO = 2


@dataclass(frozen=True, slots=True)
class Head:
    """A version at the top of its column, and the URLs of its links."""

    side: Side
    baseline_url: str
    remove_url: str


@require_safe
@needs(Permission.VIEW)
def compare(request: Request) -> HttpResponse:
    """Show ``?v=NAME:NUMBER&v=NAME:NUMBER&baseline=0&differences=1``: two to six versions.

    With fewer than two it shows a form for them. 400: the query is invalid. 404: there is no such
    version. Both show the query in a form, to be corrected.
    """
    try:
        query = CompareQuery.parse(request.GET)
        page = compare_page(query.refs, query.baseline) if query.refs else None
    except RegistryError as error:
        return _form(request, stated(request.GET), error=error)
    if page is None or len(page.sides) < TWO:
        return _form(request, [str(ref) for ref in query.refs], page=page)
    return _page(request, query, page)


@require_safe
@needs(Permission.VIEW)
def compare_csv(request: Request) -> HttpResponse:
    """Send the metrics of the same comparison as CSV, a line for each metric and challenger."""
    query = CompareQuery.parse(request.GET)
    page = compare_page(query.refs, query.baseline) if query.refs else None
    if page is None or len(page.sides) < TWO:
        raise InvalidInput("A comparison needs at least two versions.", field="v")
    response = HttpResponse(
        comparison_csv(page, only_differences=query.only_differences),
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="{file_name(page)}"'
    return response


@require_safe
@needs(Permission.VIEW)
def compare_model(request: Request, name: str) -> HttpResponse:
    """Redirect from a model's comparison URL to the comparison page.

    ``?a=1&b=2`` are numbers of the model's versions, compared with the first; v's without a model's
    name are also versions of the model.
    """
    query = QueryDict(mutable=True)
    pair = [request.GET[side] for side in ("a", "b") if request.GET.get(side)]
    versions = [*pair, *request.GET.getlist("v")]
    query.setlist("v", [text if ":" in text else f"{name}:{text}" for text in versions if text])
    if len(pair) == TWO:
        query["baseline"] = "0"
    for kept in ("baseline", "differences"):
        if kept in request.GET:
            query[kept] = request.GET[kept]
    return HttpResponseRedirect(f"{reverse('boards:compare')}?{query.urlencode()}")


def _page(request: Request, query: CompareQuery, page: ComparePage) -> HttpResponse:
    # From here on the baseline is explicit, so that links and copies of the URL keep it.
    pinned = CompareQuery(page.refs, page.baseline, query.only_differences)
    only = query.only_differences
    rows = page.different if only else page.comparison.rows
    return render(
        request,
        "compare.html",
        {
            **_shared(request, page.refs),
            "page": page,
            "query": pinned,
            "is_pinned": query == pinned,
            "heads": [
                Head(side, pinned.with_baseline(side.place).url, pinned.without(side.place).url)
                for side in page.sides
            ],
            "rows": rows,
            "hidden": len(page.comparison.rows) - len(rows),
            "sections": fact_sections(page.versions, only_differences=only),
            "columns": len(page.sides) + 1,
            "room": VERSIONS_MAX - len(page.refs),
            "may_edit": has_permission(request.user, Permission.EDIT_POLICY),
        },
    )


def _form(
    request: Request,
    given: list[str],
    *,
    page: ComparePage | None = None,
    error: RegistryError | None = None,
) -> HttpResponse:
    fields = [*given[:VERSIONS_MAX], *([""] * TWO)][: max(TWO, min(len(given), VERSIONS_MAX))]
    context: dict[str, Any] = {
        **_shared(request, page.refs if page else ()),
        "fields": fields,
        "only": page.versions[0] if page else None,
        "error": error,
    }
    return render(request, "compare.html", context, status=error.http_status if error else 200)


def _shared(request: Request, refs: tuple[VersionRef, ...]) -> dict[str, Any]:
    return {
        "section": "models",
        "versions_max": VERSIONS_MAX,
        "offers": version_offers(refs),
    }
