"""Variables for the templates of all pages."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from boards.models import User
from boards.queries.reviews.requests_inbox import waiting_count

THEME_COOKIE = "obeya_theme"
THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, str | Callable[[], int]]:
    """Return the content of the top bar.

    It contains the theme, the notice, what callers without a token are allowed to do, and the
    number of requests that need the user's review. Each text is "" if there is none; without a
    theme the system's is used. `waiting_requests` is called only by the top bar, so that fragments
    do not run its query.
    """
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "",
        "site_notice": settings.OBEYA_NOTICE,
        "anonymous_access": settings.OBEYA_ANONYMOUS.replace("none", ""),
        "waiting_requests": lambda: _waiting(request),
    }


def _waiting(request: HttpRequest) -> int:
    user = getattr(request, "user", None)
    return waiting_count(user, timezone.now()) if isinstance(user, User) else 0
