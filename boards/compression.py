"""Compress responses, except files."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressTexts(GZipMiddleware):
    """Does not compress streams: a compressed file would have no length and no ranges."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Compress a response that is in memory."""
        if response.streaming:
            return response
        return super().process_response(request, response)
