"""What every page's template may use."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from boards.models import User
from boards.queries.requests_inbox import waiting_count

THEME_COOKIE = "obeya_theme"
THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, str | Callable[[], int]]:
    """The reader's theme ("" for the system's), the site's notice ("" for none), what waits.

    `waiting_requests` is asked for by the top bar alone, so that fragments do without.
    """
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "",
        "site_notice": settings.OBEYA_NOTICE,
        "waiting_requests": lambda: _waiting(request),
    }


def _waiting(request: HttpRequest) -> int:
    user = getattr(request, "user", None)
    return waiting_count(user, timezone.now()) if isinstance(user, User) else 0
