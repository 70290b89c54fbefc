"""Error pages, and error fragments for htmx."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token
from django_htmx.middleware import HtmxDetails

from obeya.errors import RegistryError, TooManyRequests

TITLES = {
    400: "Invalid request",
    403: "Permission denied",
    404: "Not found",
    405: "Method not allowed",
    409: "Changed by someone else",
    422: "Not allowed by policy",
    429: "Too many requests",
    500: "Something went wrong",
}


class RegistryErrorMiddleware:
    """Answers errors of the registry, unless the view handled them itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; errors of the registry are handled by `process_exception`."""
        answer = self._get_response(request)
        if isinstance(answer, HttpResponseNotAllowed) and not answer.content:
            page = error_answer(
                request, 405, "You can’t open this address directly. Go back and use the form."
            )
            page["Allow"] = answer["Allow"]
            return page
        return answer

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a `RegistryError` with its status and sentence; ignore all other exceptions."""
        if isinstance(exception, RegistryError):
            answer = error_answer(request, exception.http_status, str(exception))
            if isinstance(exception, TooManyRequests):
                answer["Retry-After"] = exception.retry_after
            return answer
        return None


def error_answer(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    """Return the error as a page, or as a fragment for htmx."""
    # The request may have failed before the middleware that sets `htmx`.
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    template = "error.html#problem" if htmx and not htmx.boosted else "error.html"
    context = {"status": status, "title": TITLES.get(status, "Error"), "sentence": sentence}
    return render(request, template, context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for 400."""
    return error_answer(request, 400, "The request could not be understood.")


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for 403."""
    return error_answer(request, 403, "Your account does not have the permission to do this.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose CSRF token is missing or too old."""
    return error_answer(
        request,
        403,
        "This form has expired or came from another site. Reload the page and try again.",
    )


@requires_csrf_token
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for 404."""
    return error_answer(request, 404, "This page does not exist. Check the URL.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler for 500; does not use the database."""
    return HttpResponse(render_to_string("500.html"), status=500)
