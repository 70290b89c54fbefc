"""Two versions side by side."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from boards.permissions import Right
from boards.queries.compare_page import VersionRef, compare_page
from boards.views.http import Request, needs
from obeya.errors import InvalidInput, RegistryError

TWO = 2


@require_safe
@needs(Right.VIEW)
def compare(request: Request) -> HttpResponse:
    """``?v=NAME:NUMBER&v=NAME:NUMBER``; ``baseline=1`` makes the second one the baseline.

    With fewer than two versions it asks for them.
    """
    given = [text for text in request.GET.getlist("v") if text.strip()]
    context: dict[str, Any] = {
        "section": "models",
        "given": [*given[:TWO], "", ""][:TWO],
        "only_differences": request.GET.get("only") == "differences",
    }
    if len(given) < TWO:
        return render(request, "compare.html", context)
    try:
        if len(given) > TWO:
            raise InvalidInput("Two versions can be compared at a time.", field="v")
        refs = [VersionRef.parse(text) for text in given]
        if request.GET.get("baseline", "0") == "1":
            refs.reverse()
        page = compare_page(*refs)
    except RegistryError as error:
        context["error"] = error
        return render(request, "compare.html", context, status=error.http_status)
    context |= {
        "page": page,
        "diffs": page.different if context["only_differences"] else page.diffs,
        "sides": (page.baseline, page.challenger),
        "swap_url": _url(refs[1], refs[0]),
        "all_url": _url(*refs),
        "only_url": f"{_url(*refs)}&only=differences",
    }
    return render(request, "compare.html", context)


@require_safe
@needs(Right.VIEW)
def compare_model(request: Request, name: str) -> HttpResponse:
    """A model's own address for comparing, ``?a=1&b=2``, leads to the page for all."""
    numbers = [request.GET.get(side, "") for side in ("a", "b")]
    query = urlencode([("v", f"{name}:{number}") for number in numbers if number])
    return HttpResponseRedirect(f"{reverse('boards:compare')}?{query}")


def _url(baseline: VersionRef, challenger: VersionRef) -> str:
    query = urlencode([("v", str(baseline)), ("v", str(challenger))])
    return f"{reverse('boards:compare')}?{query}"
