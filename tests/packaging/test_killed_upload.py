"""Uploads in pieces to `obeya serve`: a piece that is cut off, and a server that is killed."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.commands import Served, children, run_code, wait_until, wait_until_ended
from tests.views.raw_requests import RawRequest, session_headers, sizes

FILL = """
import django
django.setup()
from django.test import Client
from django.utils import timezone
from boards.access.actors import SYSTEM
from boards.registry.accounts.users import create_user
from boards.registry.catalog.registration import register_version
from boards.registry.installation import instance_id
from obeya.records import VersionDraft
at = timezone.now()
ada = create_user(username="ada", group="administrator", password="a long enough one",
                           actor=SYSTEM, at=at)
register_version(draft=VersionDraft("resnet50"), actor=SYSTEM, at=at)
client = Client()
client.force_login(ada, "django.contrib.auth.backends.ModelBackend")
print(client.cookies["obeya_session"].value, instance_id())
"""
PIECE = 3 * 1024 * 1024
HALF = PIECE // 2
WHOLE = os.urandom(2 * PIECE)
PIECES = f"/models/resnet50/versions/1/artifact/pieces/?path=a.bin&size={len(WHOLE)}"


@pytest.fixture
def session(data: Path) -> str:
    """Create a model in the data directory; return a session and the id of the installation."""
    return run_code(data, FILL).strip()


@pytest.fixture
def serve(data: Path, session: str) -> Iterator[Callable[[], Any]]:
    servers: list[Any] = []

    def start() -> Any:
        servers.append(Served(data, OBEYA_WORKER="0"))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def kill(server: Any) -> None:
    workers: list[int] = children(server.process)
    assert workers
    for pid in (server.process.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    wait_until_ended(workers)


def test_a_piece_counts_only_when_all_of_it_arrived(
    serve: Callable[[], Any], session: str, data: Path
) -> None:
    incoming = data / "artifacts" / "incoming"
    cookie, instance = session.split()
    headers = session_headers(cookie, end=f"_{instance}")

    def begin(site: str, offset: int) -> RawRequest:
        return RawRequest(site, "PUT", f"{PIECES}&offset={offset}", PIECE, headers)

    def send(site: str, offset: int) -> Any:
        request = begin(site, offset)
        request.send(WHOLE[offset : offset + PIECE])
        return request.answer()

    def stored(site: str) -> Any:
        return RawRequest(site, "GET", PIECES, 0, headers).answer()

    def half(site: str, offset: int) -> RawRequest:
        """Send half a piece, and wait until the server has written some of it."""
        before = sum(sizes(incoming))
        request = begin(site, offset)
        request.send(WHOLE[offset : offset + HALF])
        wait_until(lambda: sum(sizes(incoming)) >= before + 1024 * 1024)
        return request

    first = serve()
    (site,) = first.wait_for_urls(1)
    half(site, 0).close()
    wait_until(lambda: sizes(incoming) == [])
    assert stored(site) == (200, {"received": 0, "sha256": ""})
    assert send(site, 0) == (200, {"received": PIECE, "sha256": ""})
    whole = sizes(incoming)

    half(site, PIECE).close()
    wait_until(lambda: sizes(incoming) == whole)
    assert stored(site) == (200, {"received": PIECE, "sha256": ""})

    cut = half(site, PIECE)
    kill(first)
    cut.close()
    (site,) = serve().wait_for_urls(1)
    assert stored(site) == (200, {"received": PIECE, "sha256": ""})
    sha256 = hashlib.sha256(WHOLE).hexdigest()
    assert send(site, PIECE) == (200, {"received": len(WHOLE), "sha256": sha256})
