"""Sign-in by password, within the limits."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from boards.access.client_address import client_address
from boards.models import User
from boards.registry.accounts.password_attempts import attempted


class PasswordBackend(ModelBackend):
    """Django's check of a password, with limits on wrong ones.

    `ModelBackend` comes after it in the settings, because sessions of earlier versions refer to it.
    It never checks a password.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the account; None without a name or password.

        Raises:
            PermissionDenied: the name or the password is wrong; no other backend is asked.
            TooManyRequests: there were too many wrong passwords, or too many are being checked.
        """
        if username is None or password is None:
            return None

        def check() -> Any:
            return super(PasswordBackend, self).authenticate(request, username, password, **kwargs)

        user: User | None = attempted(
            username=username,
            address=client_address(request) if request else "",
            at=timezone.now(),
            check=check,
        )
        if user is None:
            raise PermissionDenied
        return user
