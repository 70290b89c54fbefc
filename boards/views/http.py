"""Common parts of page views: the typed request, its actor, and permission checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import SplitResult, urlsplit

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from boards.access.actors import Actor
from boards.access.permissions import Permission, require
from boards.models import User
from obeya.records import Channel

P = ParamSpec("P")


class Request(HttpRequest):
    """A request of a signed-in user, with the attributes of django-htmx."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[Request, P], HttpResponseBase]


def needs(permission: Permission) -> Callable[[View[P]], View[P]]:
    """Require the permission for the view; others get the 403 page or fragment.

    Signing in is checked before: every view requires it unless it is marked otherwise.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            require(request.user, permission)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def page_actor(request: Request) -> Actor:
    """Return the actor of a page's request."""
    return Actor(request.user, Channel.PAGE)


def page_address(request: Request) -> SplitResult:
    """Return the URL of the page that an htmx request came from, in parts; empty if invalid."""
    try:
        return urlsplit(request.htmx.current_url or "")
    except ValueError:
        return SplitResult("", "", "", "", "")


def next_of(request: Request) -> str:
    """Return the URL to go back to after a plain form, from ``next``; empty unless it is local."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else ""
