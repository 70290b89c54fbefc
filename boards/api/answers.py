"""Responses of the API: documents with ETags, and pages of lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags

from boards.registry.unchanged import unchanged
from obeya.errors import InvalidInput


def answer(
    document: Mapping[str, Any] | Sequence[Any],
    *,
    status: int = HTTPStatus.OK,
    revision: int | None = None,
    location: str = "",
) -> HttpResponse:
    """Return a document as JSON; `revision` becomes its ETag."""
    response = HttpResponse(
        json.dumps(document, ensure_ascii=False), status=status, content_type="application/json"
    )
    if revision is not None:
        response["ETag"] = f'"{revision}"'
    if location:
        response["Location"] = location
    return response


def created(document: Mapping[str, Any], **more: Any) -> HttpResponse:
    """Return the document of a created object."""
    return answer(document, status=HTTPStatus.CREATED, **more)


def with_secret(response: HttpResponse) -> HttpResponse:
    """Mark a response that contains a secret: neither caches nor this server store it."""
    response["Cache-Control"] = "no-store"
    return response


def done() -> HttpResponse:
    """Return an empty response (204)."""
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def page(items: Sequence[Any], after: str | None) -> HttpResponse:
    """Return one page of a list, and the cursor of the next."""
    return answer({"items": list(items), "next": after or None})


def is_known(request: HttpRequest, revision: int) -> bool:
    """Return whether the client has this revision already, by If-None-Match."""
    known = [etag.removeprefix("W/") for etag in parse_etags(_header(request, "If-None-Match"))]
    return f'"{revision}"' in known or "*" in known


def expected_revision(request: HttpRequest) -> int | None:
    """Return the revision in If-Match; None if the header is missing or ``*``.

    Raises:
        InvalidInput: it is not an ETag of this API.
    """
    text = _header(request, "If-Match")
    if not text or text == "*":
        return None
    tag = text.strip('"')
    if text != f'"{tag}"' or not tag.isascii() or not tag.isdigit() or len(tag) > 18:
        raise InvalidInput(
            "If-Match must be one ETag, exactly as it was returned, or *.", field="If-Match"
        )
    return int(tag)


@contextmanager
def if_match(request: HttpRequest, name: str, version: int | None = None) -> Iterator[None]:
    """Lock a model while it, or one of its versions, has the revision in If-Match.

    Raises:
        Conflict: it has another revision.
    """
    revision = expected_revision(request)
    if revision is None:
        yield
        return
    with unchanged(name=name, version=version, revision=revision):
        yield


def _header(request: HttpRequest, name: str) -> str:
    return request.headers.get(name, "").strip()
