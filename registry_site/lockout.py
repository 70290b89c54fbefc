"""The response after too many failed sign-ins. Called by django-axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from boards.views.errors import error_answer


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: Mapping[str, Any] | None
) -> HttpResponse:
    """Return the response for a locked-out client."""
    return error_answer(
        request, 429, "Too many failed sign-ins to this account. Wait 15 minutes, then try again."
    )
