"""A TCP relay between the browser and the live server that cuts off one request at a byte."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

# Only reached if the server or the browser hangs: no result depends on it.
SECONDS = 60
_READ = 64 * 1024


class Relay:
    """Forwards everything except for one request, of which only the beginning reaches the server.

    That request is the first with `mark` in its head. After the mark, the relay forwards
    `let_through` bytes and then waits for `cut`.
    """

    def __init__(self, site: str, mark: bytes, let_through: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._site = urlsplit(site)
        self._mark = mark
        self._let_through = let_through
        self._marked = Lock()
        self._is_held = Event()
        self._may_cut = Event()
        self._server_is_done = Event()
        self.url = f"http://localhost:{self._listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def wait_until_held(self) -> None:
        """Wait until the beginning of the request has been sent to the server."""
        assert self._is_held.wait(SECONDS), "The request did not come."

    def cut(self) -> None:
        """End the request here, and wait until the server has finished handling it."""
        self._may_cut.set()
        assert self._server_is_done.wait(SECONDS), "The server did not end the request."

    def close(self) -> None:
        """Accept no more connections."""
        self._may_cut.set()
        # Wake the thread that waits for a connection.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        address = (self._site.hostname or "", self._site.port or 0)
        with browser, socket.create_connection(address) as server:
            answers = Thread(target=_pass_on, args=(server, browser), daemon=True)
            answers.start()
            was_cut = self._requests(browser, server)
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answers.join()
            if was_cut:
                self._server_is_done.set()

    def _requests(self, browser: socket.socket, server: socket.socket) -> bool:
        """Forward requests until the browser disconnects; return whether one was cut off."""
        seen = b""
        with suppress(OSError):
            while content := browser.recv(_READ):
                seen = seen[-len(self._mark) :] + content
                place = seen.find(self._mark)
                if place < 0 or not self._marked.acquire(blocking=False):
                    server.sendall(content)
                    continue
                after = len(seen) - place - len(self._mark)
                server.sendall(content[: len(content) - max(0, after - self._let_through)])
                missing = self._let_through - after
                while missing > 0 and (content := browser.recv(min(missing, _READ))):
                    server.sendall(content)
                    missing -= len(content)
                self._is_held.set()
                self._may_cut.wait(SECONDS)
                return True
        return False


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Forward everything until the source ends. Data for a closed target is dropped."""
    with suppress(OSError):
        while content := source.recv(_READ):
            with suppress(OSError):
                target.sendall(content)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(site: str, mark: str, *, let_through: int) -> Iterator[Relay]:
    """Run a relay to `site`; see `Relay`."""
    running = Relay(site, mark.encode(), let_through)
    try:
        yield running
    finally:
        running.close()
