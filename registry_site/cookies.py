"""The names of the cookies.

A browser sends the cookies of a host name to every port of it. So the names end in the id of the
installation: several under one host name keep their cookies apart.
"""

from __future__ import annotations

import os

from django.conf import settings

_NAMES = {
    "SESSION_COOKIE_NAME": "obeya_session",
    "CSRF_COOKIE_NAME": "obeya_csrf",
    "OBEYA_MESSAGES_COOKIE_NAME": "obeya_messages",
    "OBEYA_THEME_COOKIE_NAME": "obeya_theme",
}


def cookie_names(instance: str) -> dict[str, str]:
    """Return the name of each cookie by its setting; without an id if `instance` is empty."""
    end = f"_{instance}" if instance else ""
    return {setting: f"{name}{end}" for setting, name in _NAMES.items()}


def name_cookies() -> None:
    """Let the cookies of this process and its workers have the id of the installation."""
    from boards.registry.installation import instance_id  # noqa: PLC0415 - settings import this

    instance = settings.OBEYA_INSTANCE or instance_id()
    os.environ["OBEYA_INSTANCE"] = settings.OBEYA_INSTANCE = instance
    for setting, name in cookie_names(instance).items():
        setattr(settings, setting, name)
