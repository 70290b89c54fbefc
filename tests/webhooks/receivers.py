"""Receivers of webhooks, good and bad, each a real server on this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

# Far longer than a pause between two messages on the slowest machine.
SECONDS_WITHOUT_MESSAGE = 90


class Receiver:
    """Verifies messages with the public library, and stores them."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.received: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.wrong: list[str] = []
        self.bodies: list[str] = []
        self.url = ""
        self.answer: Callable[[], tuple[int, dict[str, str], bytes]] = lambda: (204, {}, b"")
        self._changed = threading.Condition()

    def take(self, body: str, headers: dict[str, str]) -> None:
        """Store a message, or the reason why it does not verify."""
        with self._changed:
            self._changed.notify_all()
            self.bodies.append(body)
            for secret in self.secrets:
                try:
                    self.received.append(Webhook(secret).verify(body, headers))
                    self.ids.append(headers["webhook-id"])
                except Exception as error:  # noqa: BLE001 - whatever the library says
                    self.wrong.append(f"{headers.get('webhook-id')}: {error!r}")

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Wait for messages until `done`; fail if none arrived for 90 seconds."""
        with self._changed:
            while not done():
                assert self._changed.wait(SECONDS_WITHOUT_MESSAGE), (len(self.ids), self.wrong)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            receiver.take(body, {name.lower(): value for name, value in self.headers.items()})
            status, headers, text = receiver.answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            raise AssertionError("nothing is ever asked for")

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Ignore the error of a sender that was killed."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield receiver
        server.shutdown()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server that handles each connection with `talk`; yield its URL."""
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)

        def accept() -> None:
            while not stopping.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    talk(connection)
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stopping.set()


def hang(connection: socket.socket) -> None:
    """Accept the request and never answer."""
    connection.recv(65_536)
    while connection.recv(65_536):
        pass


def drip(connection: socket.socket) -> None:
    """Answer one byte at a time, without end."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def garble(connection: socket.socket) -> None:
    """Answer something other than HTTP."""
    connection.recv(65_536)
    connection.sendall(b"\x00\xff garbage \r\n\r\n")


def break_off(connection: socket.socket) -> None:
    """Read the request and disconnect."""
    connection.recv(65_536)
