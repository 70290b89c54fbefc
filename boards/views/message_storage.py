"""Where the messages for the next page are stored."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpRequest


class NamedCookieStorage(CookieStorage):
    """A cookie with the name of the setting: Django's has the same name in all installations."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.cookie_name = settings.OBEYA_MESSAGES_COOKIE_NAME


class MessageStorage(FallbackStorage):
    """The cookie or, for messages that are too long for it, the session."""

    storage_classes = (NamedCookieStorage, SessionStorage)
