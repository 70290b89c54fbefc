"""The pages of the documentation, and the files that they link.

They contain nothing of this registry, so they require no sign-in, like the API reference: people
who cannot sign in find out here how to.
"""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from boards.documentation.pages import find_page, parts
from boards.documentation.sources import files


@login_not_required
@require_safe
def read(request: HttpRequest, page: str = "") -> HttpResponse:
    """Show a page, or the index if none is named."""
    found = find_page(page)
    if found is None:
        raise Http404
    parent, _, _ = page.rpartition("/")
    context = {
        "section": "documentation",
        "name": page,
        "page": found,
        "parent_name": parent,
        "parent": find_page(parent) if parent else None,
        "parts": parts(),
    }
    return render(request, "documentation/page.html", context)


@cache
def _etag_of(file: str) -> str:
    return f'"{hashlib.sha256(files()[file].read_bytes()).hexdigest()}"'


def _etag(request: HttpRequest, file: str) -> str | None:
    return _etag_of(file) if file in files() else None


@login_not_required
@require_safe
@cache_control(no_cache=True)
@condition(etag_func=_etag)
def download(request: HttpRequest, file: str) -> HttpResponse:
    """Return an image or the OpenAPI document."""
    if file not in files():
        raise Http404
    content_type, _ = mimetypes.guess_type(file)
    return HttpResponse(files()[file].read_bytes(), content_type=content_type)
