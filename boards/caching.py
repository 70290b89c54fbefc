"""What browsers and proxies can do with stored responses."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase


class PrivateResponses:
    """Lets only browsers store responses, and makes them ask before they use one again.

    Back can then show the page as it was left, with the text typed into it; its script updates the
    rest. A view that shows a secret uses Django's `never_cache` or `add_never_cache_headers`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set the header, unless the view did."""
        response = self._get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
