"""The URLs of the JSON API, each behind the guard."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path

from boards.api.api import api
from boards.api.guard import guard
from boards.api.problems import plain_problem
from boards.api.reference import reference

app_name = "api"


def nothing_here(request: HttpRequest, rest: str) -> HttpResponse:
    """Answer 404 at a URL that the API does not have."""
    return plain_problem(404)


_patterns: list[URLPattern] = [path("docs", reference, name="docs")]
_patterns += [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern)]
_patterns.append(re_path(r"^(?P<rest>.*)$", nothing_here, name="nothing_here"))

urlpatterns = guard(
    _patterns,
    public=frozenset({"docs", "openapi-json"}),
    streaming=frozenset({"store_blob"}),
)
