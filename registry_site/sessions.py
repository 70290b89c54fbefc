"""Sessions in the database, which never fail a read.

Django writes a session also when a page is read: after a change of SECRET_KEY or of the password,
and for long messages. If the database is read-only or busy, that write is dropped.
"""

from __future__ import annotations

import logging

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.db import DatabaseError
from django.http import HttpRequest

_READS = ("GET", "HEAD", "OPTIONS")
_log = logging.getLogger(__name__)


class SessionStore(DatabaseStore):
    """A session in the database. With `for_read`, a write that fails is logged and dropped."""

    for_read = False

    def save(self, must_create: bool = False) -> None:
        """Write the session."""
        try:
            super().save(must_create)
        except (DatabaseError, UpdateError) as error:
            if must_create:
                raise
            self._drop(error)

    def delete(self, session_key: str | None = None) -> None:
        """Delete the session."""
        try:
            super().delete(session_key)
        except DatabaseError as error:
            self._drop(error)

    def cycle_key(self) -> None:
        """Store the session under a new key; if that fails for a read, keep the present one."""
        key, data = self.session_key, dict(self.items())
        try:
            super().cycle_key()
        except DatabaseError as error:
            self._session_key, self._session_cache = key, data
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        if not self.for_read:
            raise error
        _log.info("A session was not written: %s", error)


class SessionMiddleware(DjangoMiddleware):
    """Django's middleware, which tells the session whether the request is a read."""

    def process_request(self, request: HttpRequest) -> None:
        """Attach the session to the request."""
        super().process_request(request)
        if isinstance(request.session, SessionStore):
            request.session.for_read = request.method in _READS
