"""`RemoteRegistry` without a network: its requests go to Django's handler in the same process.

Everything except the socket is real: the middleware, the JSON that is sent and parsed, the statuses
and headers. So a test needs no server and no committed rows, and takes a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import urllib3
from django.test import Client

from obeya import RemoteRegistry

ADDRESS = "http://testserver"


class HandlerPool(urllib3.PoolManager):
    """Passes each request to the handler in this process instead of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self._client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> urllib3.BaseHTTPResponse:
        """Answer as a server would; the body is bytes or an open file."""
        headers = dict(headers or {})
        content = body.read() if hasattr(body, "read") else body or b""
        parts = urlsplit(url)
        response = self._client.generic(
            method,
            # Encoded as in a real request.
            parts.path,
            content,
            content_type=headers.pop("Content-Type", "application/octet-stream"),
            QUERY_STRING=parts.query,
            headers=headers,
        )
        return urllib3.HTTPResponse(
            BytesIO(response.getvalue()),
            response.headers,
            response.status_code,
            preload_content=False,
        )


def in_process(token: str) -> RemoteRegistry:
    """Return a `RemoteRegistry` that calls the application in this process."""
    registry = RemoteRegistry(ADDRESS, token)
    registry._api._pool = HandlerPool()
    return registry
