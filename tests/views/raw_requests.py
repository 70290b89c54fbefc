"""HTTP requests on separate sockets, whose body can be cut off at any byte."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Only reached if the server hangs: no result depends on it.
SECONDS = 60
CSRF = "a" * 32


def session_headers(session: str, *, end: str = "") -> dict[str, str]:
    """Return the headers of a browser that is signed in with this session.

    `end` is the end of the cookies' names, with the id of the installation.
    """
    cookies = f"obeya_session{end}={session}; obeya_csrf{end}={CSRF}"
    return {"Cookie": cookies, "X-CSRFToken": CSRF}


class RawRequest:
    """A request that announces `length` bytes, of which the test decides how many to send."""

    def __init__(
        self, site: str, method: str, path: str, length: int, headers: Mapping[str, str]
    ) -> None:
        host = urlsplit(site)
        self._socket = socket.create_connection((host.hostname or "", host.port or 0), SECONDS)
        lines = {"Host": host.netloc, "Content-Length": str(length), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())

    def send(self, content: bytes) -> None:
        """Send a part of the body."""
        self._socket.sendall(content)

    def stop_sending(self) -> None:
        """End the body here, and keep the connection open for the response."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def reset(self) -> None:
        """Disconnect so that the server's next read fails."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def answer(self) -> tuple[int, Any]:
        """Return status and JSON document of the response (None if it is not JSON), then close."""
        with self._socket:
            response = HTTPResponse(self._socket)
            response.begin()
            content = response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(content) if is_json else None


def sizes(folder: Path) -> list[int]:
    """Return the sizes of the files in a folder, smallest first."""
    found = []
    for path in folder.glob("*"):
        try:
            found.append(path.stat().st_size)
        except FileNotFoundError:
            # Removed by the server since it was listed.
            continue
    return sorted(found)


def wait_until(reached: Callable[[], object]) -> None:
    """Wait until the state is reached; fail if it never is."""
    end = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < end, "The state was not reached."
        time.sleep(0.01)
