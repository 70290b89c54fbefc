"""Answers are packed for the way, but for files."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressTexts(GZipMiddleware):
    """Leaves streams alone: a file that is packed on the way has no length and no ranges."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Pack what is a text in memory."""
        if response.streaming:
            return response
        return super().process_response(request, response)
