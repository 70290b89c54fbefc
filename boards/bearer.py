"""Requests of the JSON API and of the MLflow protocol: with an API token, or open to all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from boards.access.actors import Actor
from boards.access.rate_limit import limit_requests
from boards.access_events import note_token_use
from boards.models import ApiToken
from boards.registry.accounts.tokens import Bearer, use_token
from obeya.errors import NotSignedIn, RegistryError
from obeya.records import Channel

View = Callable[..., HttpResponseBase]


def bearer_actor(
    request: HttpRequest,
    *,
    token_text: Callable[[HttpRequest], str],
    channel: Channel,
    hint: str = "",
) -> tuple[Actor, ApiToken]:
    """Return the actor of a request and its token. Sessions and their cookies are ignored.

    `token_text` reads the token from the headers, or raises `NotSignedIn`. `hint` is added to the
    message about a token that is not valid.

    Raises:
        NotSignedIn: there is no token, or it is not valid in this registry.
        TooManyRequests: the token, or the address of a caller without a valid one, is over the rate
            limit.
    """
    try:
        bearer = _bearer(token_text(request), hint)
    except NotSignedIn:
        limit_requests(request, None)
        raise
    limit_requests(request, bearer.token)
    note_token_use(request, bearer.token, channel)
    actor = Actor(bearer.user, channel, grant=bearer.grant, similar_names=[])
    return actor, bearer.token


def _bearer(text: str, hint: str) -> Bearer:
    bearer = use_token(text=text, at=timezone.now())
    if bearer is None:
        raise NotSignedIn(f"This token is invalid, expired or revoked. {hint}".rstrip())
    return bearer


def open_to_all(view: View, *, refused: Callable[[RegistryError], HttpResponse]) -> View:
    """Return a view that needs no token, with the rate limit of the client's address.

    It must not use the session, whose requests are not checked for forgery here.
    `refused` returns the response to a client that is over the limit.
    """

    @login_not_required
    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            limit_requests(request, None)
        except RegistryError as error:
            return refused(error)
        return view(request, *args, **kwargs)

    return answer
