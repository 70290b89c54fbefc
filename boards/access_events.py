"""Access events of requests: sign-ins, uses of tokens, downloads.

They are written after the answer, which they neither delay nor fail.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from boards.access.actors import Actor
from boards.access.after_answer import after_answer
from boards.access.client_address import client_address
from boards.files.downloads import file_response
from boards.models import ApiToken, ModelVersion, User
from boards.registry.accounts.sign_ins import (
    record_failed_sign_in,
    record_link_use,
    record_sign_in,
)
from boards.registry.accounts.token_addresses import record_token_use
from boards.registry.artifacts.damage import mark_damaged
from boards.registry.artifacts.download_events import record_download
from obeya.artifacts.records import ArtifactFile
from obeya.records import Channel

SEEN_MAX = 10_000


def connect() -> None:
    """Let every sign-in, and every failed one, be recorded: on our page and in the admin."""
    user_logged_in.connect(_signed_in, dispatch_uid="access_events")
    user_login_failed.connect(_sign_in_failed, dispatch_uid="access_events")


def _signed_in(sender: object, request: HttpRequest, user: User, **_: Any) -> None:
    address, at = client_address(request), timezone.now()
    after_answer(request, lambda: record_sign_in(user=user, address=address, at=at))


def _sign_in_failed(
    sender: object, credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    if request is None:
        return
    username, address = str(credentials.get("username") or ""), client_address(request)
    at = timezone.now()
    after_answer(request, lambda: record_failed_sign_in(username=username, address=address, at=at))


def note_link_use(request: HttpRequest, user: User, token: str) -> None:
    """Record that the request used the sign-in link of the account that has the token."""
    address, at = client_address(request), timezone.now()
    after_answer(request, lambda: record_link_use(user=user, token=token, address=address, at=at))


def note_token_use(request: HttpRequest, token: ApiToken, channel: Channel) -> None:
    """Record the use of a token if it is the first from its address.

    No statement if this process has recorded or read it before.
    """
    address = client_address(request)
    if (token.uid, address) in _SEEN:
        return
    at = timezone.now()

    def record() -> None:
        record_token_use(token=token, address=address, channel=channel, at=at)
        _SEEN.add((token.uid, address))

    after_answer(request, record)


def send_file(
    request: HttpRequest, actor: Actor, file: ArtifactFile, version: ModelVersion | None = None
) -> HttpResponseBase:
    """Return a file of a version, or (None) of a run, as `file_response` does.

    With OBEYA_RECORD_DOWNLOADS, each response with content is an event.
    """
    response = file_response(
        request, file, lambda found: mark_damaged(found=found, at=timezone.now())
    )
    has_content = response.status_code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
    if settings.OBEYA_RECORD_DOWNLOADS and has_content and request.method != "HEAD":
        size, at = int(response["Content-Length"]), timezone.now()
        after_answer(
            request,
            lambda: record_download(file=file, size=size, version=version, actor=actor, at=at),
        )
    return response


class _Seen:
    """The latest uses of tokens that need no statement any more. Threads can share it."""

    def __init__(self) -> None:
        self._uses: OrderedDict[tuple[UUID, str], None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, use: tuple[UUID, str]) -> bool:
        return use in self._uses

    def add(self, use: tuple[UUID, str]) -> None:
        """Add a use; the oldest is forgotten when there are too many."""
        with self._lock:
            self._uses[use] = None
            if len(self._uses) > SEEN_MAX:
                self._uses.popitem(last=False)


_SEEN = _Seen()
