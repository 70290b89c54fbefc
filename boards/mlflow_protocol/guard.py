"""Checks before every endpoint: authentication, parameters, and errors in MLflow's form.

Clients authenticate as MLflow's do: a token as bearer (MLFLOW_TRACKING_TOKEN), or as the password
of basic authentication (MLFLOW_TRACKING_USERNAME and _PASSWORD), with any user name.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from boards.access.actors import Actor
from boards.access.rate_limit import limit_requests
from boards.bearer import View, bearer_actor, open_to_all
from boards.mlflow_protocol.documents import Document
from boards.mlflow_protocol.errors import (
    BAD_REQUEST,
    INTERNAL_ERROR,
    TEMPORARILY_UNAVAILABLE,
    ProtocolError,
    translated,
)
from boards.mlflow_protocol.given import Given
from boards.registry.accounts.anonymous import AnonymousAccess, anonymous_actor
from obeya.errors import NotSignedIn, RegistryError
from obeya.records import Channel

Endpoint = Callable[[Actor, Given], Document]

_log = logging.getLogger(__name__)


def endpoint(**by_method: Endpoint) -> View:
    """Return the view of a URL: one function for each method, as in ``POST=create``."""

    def answer(request: HttpRequest, actor: Actor, method: str) -> HttpResponse:
        given = Given.by(request)
        try:
            document = by_method[method](actor, given)
        except RegistryError as error:
            raise translated(
                error, name=given.shown("name"), version=given.shown("version")
            ) from error
        return JsonResponse(document, json_dumps_params={"ensure_ascii": False})

    return guarded(answer, methods=by_method)


def guarded(answer: Callable[..., HttpResponseBase], *, methods: Iterable[str]) -> View:
    """Return the view that calls ``answer(request, actor, method, **from_the_address)``."""

    @login_not_required
    @csrf_exempt
    def view(request: HttpRequest, **from_address: str) -> HttpResponseBase:
        try:
            actor = signed_in(request)
            method = "GET" if request.method == "HEAD" else request.method or ""
            if method not in methods:
                return _not_allowed(request, sorted(methods))
            return answer(request, actor, method, **from_address)
        except ProtocolError as error:
            return error.response()
        except RegistryError as error:
            return _refused(error)
        except RequestDataTooBig:
            return ProtocolError(
                BAD_REQUEST,
                "The request body is too large.",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            ).response()
        except OperationalError:
            _log.exception("%s could not reach the database", request.path)
            return ProtocolError(
                TEMPORARILY_UNAVAILABLE, "The database is busy or unavailable. Try again."
            ).response()
        except Exception:  # noqa: BLE001 - whatever it is, the client reads only JSON
            # A client could not read an HTML page.
            _log.exception("%s failed", request.path)
            return ProtocolError(
                INTERNAL_ERROR, "Something went wrong. Details are in the server log."
            ).response()

    return view


def public(view: View) -> View:
    """Return a view that needs no token, with the rate limit of the client's address."""
    return open_to_all(view, refused=_refused)


def _refused(error: RegistryError) -> HttpResponse:
    return translated(error, name="", version="").response()


def signed_in(request: HttpRequest) -> Actor:
    """Return the actor of the request. Sessions and their cookies are ignored.

    Raises:
        NotSignedIn: there is no token and callers without a token are not allowed, or the token is
            not valid in this registry.
        TooManyRequests: the token, or the address of a caller without a valid one, is over the rate
            limit.
    """
    access = AnonymousAccess(settings.OBEYA_ANONYMOUS)
    if access is not AnonymousAccess.NONE and not _authorization(request):
        limit_requests(request, None)
        return anonymous_actor(access=access, channel=Channel.MLFLOW, at=timezone.now())
    actor, _ = bearer_actor(
        request,
        token_text=_token_text,
        channel=Channel.MLFLOW,
        hint="Use an API token: the password of an account does not work here.",
    )
    return actor


def _authorization(request: HttpRequest) -> str:
    return request.headers.get("Authorization", "").strip()


def _token_text(request: HttpRequest) -> str:
    scheme, _, credentials = _authorization(request).partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            return _password(credentials.strip())
    raise NotSignedIn(
        "Set MLFLOW_TRACKING_TOKEN to an API token of this registry, or set "
        "MLFLOW_TRACKING_USERNAME to your username and MLFLOW_TRACKING_PASSWORD to the token."
    )


def _password(credentials: str) -> str:
    try:
        text = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        raise NotSignedIn(
            "The Basic credentials in the Authorization header are invalid."
        ) from None
    return text.partition(":")[2]


def _not_allowed(request: HttpRequest, allowed: list[str]) -> HttpResponse:
    answer = ProtocolError(
        BAD_REQUEST,
        f"{request.path} does not support {request.method}. Use {' or '.join(allowed)}.",
        status=HTTPStatus.METHOD_NOT_ALLOWED,
    ).response()
    answer["Allow"] = ", ".join(allowed)
    return answer
