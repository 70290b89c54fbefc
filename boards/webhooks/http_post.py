"""One POST to one receiver: no redirect, no proxy, no second name resolution, and a time limit."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from boards.webhooks.guard import addresses_of
from obeya.webhooks.addresses import Network

SECONDS_TO_CONNECT = 5
SECONDS = 15
RESPONSE_MAX = 4_096


class NoAnswer(Exception):
    """There was no response; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The receiver's response; `text` is its beginning."""

    status: int
    text: str


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Iterable[Network] = (),
) -> Answer:
    """Send a body and read the beginning of the response, all within 15 seconds.

    Raises:
        Forbidden: the receiver's address is in a private network; see `boards.webhooks.guard`.
        NoAnswer: the receiver cannot be reached, took too long, or its response is not HTTP.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        line = _connected(addresses_of(host, port, allowed), port)
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"{host} cannot be reached: {_reason(error)}.") from None
    with ExitStack() as opened:
        opened.enter_context(line)
        if parts.scheme == "https":
            # The handshake is done later, when the timer is running.
            line = ssl.create_default_context().wrap_socket(
                line, server_hostname=host, do_handshake_on_connect=False
            )
            opened.enter_context(line)
        return _exchanged(line, host, port, target, body, headers)


def _exchanged(
    line: socket.socket,
    host: str,
    port: int,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    """Exchange request and response within the time limit."""
    # Whatever the receiver does, even sending one byte at a time, this ends the connection.
    late = threading.Event()
    watch = threading.Timer(SECONDS, _cut, (line, late))
    watch.daemon = True
    watch.start()
    try:
        answer = _exchange(line, host, port, target, body, headers)
    except TimeoutError:
        # A single wait used up all the time: the socket's timeout came before the timer's.
        late.set()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not late.is_set():
            raise NoAnswer(f"{host} sent no valid response: {_reason(error)}.") from None
    finally:
        watch.cancel()
    # An interrupted response can look like one that ended early.
    if late.is_set():
        raise NoAnswer(f"{host} sent no complete response within {SECONDS:g} seconds.")
    return answer


def _exchange(
    line: socket.socket,
    host: str,
    port: int,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    default_port = 80
    if isinstance(line, ssl.SSLSocket):
        default_port = 443
        line.do_handshake()
    connection = http.client.HTTPConnection(host, port)
    connection.sock = line
    named = f"[{host}]" if ":" in host else host
    try:
        connection.request(
            "POST",
            target,
            body,
            {
                "Host": named if port == default_port else f"{named}:{port}",
                "Connection": "close",
                **headers,
            },
        )
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(RESPONSE_MAX).decode("utf-8", "replace"))
    finally:
        connection.close()


def _connected(addresses: list[tuple[int, str]], port: int) -> socket.socket:
    """Connect to the first address that accepts. Only the checked addresses are used."""
    error: OSError | None = None
    for family, address in addresses:
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.settimeout(SECONDS_TO_CONNECT)
        try:
            plain.connect((address, port))
        except OSError as failed:
            plain.close()
            error = failed
        else:
            plain.settimeout(SECONDS)
            return plain
    raise error or OSError("the name has no address")


def _cut(line: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        # The socket below the encryption: the reading thread gets an end of file.
        socket.socket.shutdown(line, socket.SHUT_RDWR)
    except OSError:
        return


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:300].rstrip(".")
