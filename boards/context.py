"""What every page's template may use."""

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
    """What the top bar says: theme, notice, what callers without a token may do, what waits.

    Each is "" where there is none; the theme then is the system's.

    `waiting_requests` is asked for by the top bar alone, so that fragments do without.
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
