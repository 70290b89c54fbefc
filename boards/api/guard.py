"""Checks before every API operation: the token, then the size, then the idempotency key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja.security.base import AuthBase

from boards.access.actors import Actor
from boards.api.problems import plain_problem, problem
from boards.bearer import View, bearer_actor, open_to_all
from boards.models import ApiToken, User
from boards.registry.idempotency import Answer, answer_once
from obeya.documents.problems import SIMILAR_NAMES
from obeya.errors import InvalidInput, NotSignedIn, RegistryError
from obeya.records import Channel

KEY_MAX = 255
REPLAYED = "Idempotent-Replayed"
_KEPT_HEADERS = ("Cache-Control", "Content-Type", "ETag", "Location", SIMILAR_NAMES)
# Proxies refuse headers that are much longer.
_SIMILAR_NAMES_MAX = 4_000


class ApiRequest(HttpRequest):
    """A request with a valid token."""

    user: User
    actor: Actor
    token: ApiToken


class TokenAuth(AuthBase):
    """Describes the authentication in the OpenAPI document; the guard has already checked it."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> Actor | None:
        """Return the actor that the guard found."""
        return getattr(request, "actor", None)


def guard(
    patterns: Iterable[URLPattern], *, public: frozenset[str], streaming: frozenset[str]
) -> list[URLPattern]:
    """Return the same URL patterns, each with a token check except those in `public`.

    Views in `streaming` read their bodies in pieces, and limit the size themselves.
    """
    guarded = []
    for pattern in patterns:
        if pattern.name in public:
            view = open_to_all(require_safe(pattern.callback), refused=problem)
        else:
            view = _guarded(pattern.callback, is_streaming=pattern.name in streaming)
        guarded.append(URLPattern(pattern.pattern, view, pattern.default_args, pattern.name))
    return guarded


def _guarded(view: View, *, is_streaming: bool) -> View:
    @login_not_required
    @csrf_exempt
    @wraps(view)
    def answer(request: ApiRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
        at = timezone.now()
        try:
            _sign_in(request)
            key = _idempotency_key(request)
        except RegistryError as error:
            return problem(error)
        if not is_streaming and not _is_small(request):
            return plain_problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "The request body can have at most "
                f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes.",
            )
        if not key:
            return _answered(view, request, *args, **kwargs)
        try:
            given = answer_once(
                actor=request.actor,
                key=key,
                fingerprint=_fingerprint(request),
                answer=lambda actor: _kept(
                    _answered(view, _acting(request, actor), *args, **kwargs)
                ),
                at=at,
            )
        except RegistryError as error:
            return problem(error)
        response = HttpResponse(given.body, status=given.status, headers=given.headers)
        if given.replayed:
            response[REPLAYED] = "true"
        return response

    return answer


def _answered(view: View, request: ApiRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Return the response, with a header about the similar names that the request created."""
    response = view(request, *args, **kwargs)
    sentences = request.actor.similar_names or []
    while sentences and len(json.dumps(sentences)) > _SIMILAR_NAMES_MAX:
        sentences = sentences[: len(sentences) // 2]
    if sentences and response.status_code < HTTPStatus.BAD_REQUEST:
        response[SIMILAR_NAMES] = json.dumps(sentences)
    return response


def _sign_in(request: ApiRequest) -> None:
    """Authenticate the bearer of a valid token."""
    request.actor, request.token = bearer_actor(
        request, token_text=_token_text, channel=Channel.API
    )
    request.user = request.token.user


def _token_text(request: HttpRequest) -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise NotSignedIn("Send an API token in the header: Authorization: Bearer obeya_…")
    return text.strip()


def _idempotency_key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
    if len(key) > KEY_MAX or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"An Idempotency-Key must have 1 to {KEY_MAX} printable ASCII characters.",
            field="Idempotency-Key",
        )
    return key


def _is_small(request: HttpRequest) -> bool:
    """Return whether the body is within the limit, by its Content-Length; nothing was read."""
    stated = request.META.get("CONTENT_LENGTH") or "0"
    return stated.isdigit() and int(stated) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def _acting(request: ApiRequest, actor: Actor) -> ApiRequest:
    request.actor = actor
    return request


def _fingerprint(request: HttpRequest) -> str:
    method, path = request.method or "", request.get_full_path()
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(request.headers.get("If-Match", "").encode() + b"\n")
    digest.update(request.body)
    return digest.hexdigest()


def _kept(response: HttpResponseBase) -> Answer:
    content = response.content.decode() if isinstance(response, HttpResponse) else ""
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    return Answer(
        status=response.status_code,
        headers=headers,
        body=content,
        has_secret="no-store" in response.get("Cache-Control", ""),
    )
