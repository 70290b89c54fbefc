"""All errors of the API as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from boards.api.schemas.catalog import NUMBER, OBJECT
from obeya.documents.problems import problem_document, problem_type
from obeya.errors import RegistryError, TooManyRequests
from obeya.refusals import Conflict

PROBLEM_JSON = "application/problem+json"
CHALLENGE = 'Bearer realm="obeya"'

_CODES = {
    400: "invalid_input",
    401: "not_signed_in",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "too_many_requests",
    503: "unavailable",
}
_SENTENCES = {
    400: "The request is invalid.",
    404: "This URL does not exist.",
    405: "This URL does not support the request method.",
    413: "The request body is too large.",
    500: "Something went wrong. Details are in the server log.",
}


def problem(error: RegistryError, *, status: int | None = None) -> HttpResponse:
    """Return the response for an error of the registry."""
    answer = _answer(problem_document(error, status=status))
    if isinstance(error, TooManyRequests):
        answer["Retry-After"] = error.retry_after
    return answer


def plain_problem(status: int, sentence: str = "") -> HttpResponse:
    """Return the response for an error outside the registry."""
    code = _CODES.get(status, "error")
    return _answer(
        {
            "type": problem_type(code),
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": sentence or _SENTENCES.get(status, HTTPStatus(status).description),
            "code": code,
        }
    )


def add_problem_handlers(api: NinjaAPI) -> None:
    """Register handlers that answer errors as problems."""

    @api.exception_handler(RegistryError)
    def refused(request: HttpRequest, error: RegistryError) -> HttpResponse:
        stale = isinstance(error, Conflict) and "If-Match" in request.headers
        return problem(error, status=HTTPStatus.PRECONDITION_FAILED if stale else None)

    @api.exception_handler(HttpError)
    def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
        cause = error.__cause__
        if isinstance(cause, RegistryError):
            return problem(cause)
        return plain_problem(error.status_code)

    @api.exception_handler(ValidationError)
    def malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
        errors = [_located(row) for row in error.errors]
        sentence = "; ".join(
            f"{row['at'].removeprefix('body.')}: {row['message']}" for row in errors[:5]
        )
        document = {
            "type": problem_type("invalid_input"),
            "title": HTTPStatus.BAD_REQUEST.phrase,
            "status": HTTPStatus.BAD_REQUEST.value,
            "detail": f"{sentence}.",
            "code": "invalid_input",
            "errors": errors,
        }
        if errors:
            document["field"] = errors[0]["at"].partition(".")[2]
        return _answer(document)


class ProblemMiddleware:
    """Converts every other error response of the API to a problem."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on; an error page becomes a problem of the same status."""
        response = self._get_response(request)
        if (
            response.status_code < HTTPStatus.BAD_REQUEST
            or not request.path_info.startswith("/api/v1/")
            or response.get("Content-Type", "").startswith(PROBLEM_JSON)
        ):
            return response
        answer = plain_problem(response.status_code)
        for name in ("Allow", "Retry-After"):
            if name in response:
                answer[name] = response[name]
        return answer


def _answer(document: Mapping[str, Any]) -> HttpResponse:
    answer = HttpResponse(
        json.dumps(document), status=document["status"], content_type=PROBLEM_JSON
    )
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = CHALLENGE
    return answer


def _located(row: Mapping[str, Any]) -> dict[str, str]:
    return {"at": _place(row["loc"]), "message": _message(row)}


def _place(parts: Iterable[object]) -> str:
    # The second part of a position in the body is the name of the function's parameter.
    source, *rest = map(str, parts)
    rest = rest[1:] if source == "body" else rest
    if "metrics" in rest:
        # The library adds the form of a metric after its name.
        form = rest.index("metrics") + 2
        rest = [part for at, part in enumerate(rest) if at != form or part not in (NUMBER, OBJECT)]
    return ".".join([source, *rest])[:200]


def _message(row: Mapping[str, Any]) -> str:
    if row["type"] == "extra_forbidden":
        return "unknown member"
    return str(row["msg"])[:1].lower() + str(row["msg"])[1:]
