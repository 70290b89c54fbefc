"""What every page's template may use."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

THEME_COOKIE = "obeya_theme"
THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, str]:
    """The reader's theme ("" for the system's) and the site's notice ("" for none)."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "",
        "site_notice": settings.OBEYA_NOTICE,
    }
