"""Variables for the templates of all pages."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from boards.documentation.help_links import help_url
from boards.models import User
from boards.queries.reviews.requests_inbox import waiting_count

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, str | Callable[[], str | int]]:
    """Return the content of the top bar.

    It contains the theme, the notice, what callers without a token are allowed to do, the number of
    requests that need the user's review, and the page of the documentation that explains the view.
    Each text is "" if there is none; without a theme the system's is used. The last two are called
    only by the top bar: fragments do without them.
    """
    theme = request.COOKIES.get(settings.OBEYA_THEME_COOKIE_NAME, "")
    return {
        "theme": theme if theme in THEMES else "",
        "site_notice": settings.OBEYA_NOTICE,
        "anonymous_access": settings.OBEYA_ANONYMOUS.replace("none", ""),
        "waiting_requests": lambda: _waiting(request),
        "documentation_url": lambda: _documentation_url(request),
    }


def _waiting(request: HttpRequest) -> int:
    user = getattr(request, "user", None)
    return waiting_count(user, timezone.now()) if isinstance(user, User) else 0


def _documentation_url(request: HttpRequest) -> str:
    match = request.resolver_match
    return help_url(match.view_name if match else "")
