"""Requests to the JSON API: token, time-outs, attempts, and errors from problem documents."""

from __future__ import annotations

import json
import random
import re
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError, SSLError

from obeya.documents.problems import SIMILAR_NAMES, error_from_problem
from obeya.documents.reading import MalformedDocument
from obeya.errors import InvalidInput, NotFound, NotSignedIn, RegistryError, Unreachable
from obeya.look_alikes.new_names import SimilarNameWarning

DEFAULT_URL = "http://127.0.0.1:8000"
PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
ANSWER_MAX = 256 * 1024 * 1024
PAGE = 500
PIECE = 1024 * 1024
ATTEMPTS = 5
# Status codes of a server or proxy that is temporarily overloaded.
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0

Query = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of a response."""

    connect: float = 5.0
    read: float = 60.0


class Transport:
    """Sends requests with a token and reads JSON.

    Failed requests are retried, up to five times with increasing pauses: reads, idempotent writes,
    and POSTs, each of which has one Idempotency-Key for all its attempts. Redirects are not
    followed: the token is sent to one host only.

    Raises:
        InvalidInput: the address is not an http or https URL.
    """

    def __init__(self, url: str, token: str, *, timeouts: Timeouts, attempts: int) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                f"“{url[:128]}” is not the address of a server. Write it like {DEFAULT_URL}.",
                field="url",
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise InvalidInput(
                "The server's address cannot contain a name, password or query.", field="url"
            )
        base = url.strip().rstrip("/")
        if base.endswith(PREFIX):
            raise InvalidInput(
                f"The server's address does not include {PREFIX}. "
                f"Write it like {base.removesuffix(PREFIX)}.",
                field="url",
            )
        if not token.isascii() or not token.isprintable():
            raise InvalidInput("The token contains invalid characters.", field="token")
        self.base = base
        self._headers = {"Accept": f"application/json, {PROBLEM_JSON}", "User-Agent": "obeya"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._attempts = attempts
        self._pool = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(connect=timeouts.connect, read=timeouts.read),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r})"

    def get(self, *path: str, **query: str | int | None) -> Any:
        """Return the document at a path; its segments are encoded here."""
        return self.send("GET", path, query=query)

    def pages(self, *path: str, **query: str | int | None) -> Iterator[Any]:
        """Yield every item of a list, fetched page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.send("GET", path, query={"limit": PAGE, **query, "cursor": cursor or None})
            try:
                items, cursor = page["items"], page["next"]
            except (KeyError, TypeError):
                raise MalformedDocument("The server's response is not a page of a list.") from None
            yield from items

    def post(self, *path: str, body: Any) -> Any:
        """Send a POST; it takes effect only once, even after several attempts."""
        return self.send("POST", path, body=body)

    def put(self, *path: str, body: Any) -> Any:
        """Send a PUT."""
        return self.send("PUT", path, body=body)

    def patch(self, *path: str, body: Any) -> Any:
        """Send a PATCH."""
        return self.send("PATCH", path, body=body)

    def delete(self, *path: str, **query: str | int | None) -> Any:
        """Send a DELETE."""
        return self.send("DELETE", path, query=query)

    def send(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Query | None = None,
        body: Any = None,
        if_match: int | None = None,
        key: str = "",
    ) -> Any:
        """Return the document of the response; None if there is none.

        `if_match` is a revision; `key` is the Idempotency-Key of a POST, by default a new one.

        Raises:
            RegistryError: the server refused; the class is that of the error.
            Unreachable: no registry answered.
        """
        stated = {key: value for key, value in (query or {}).items() if value is not None}
        address = self._address(path) + (f"?{urlencode(stated)}" if stated else "")
        headers, content = dict(self._headers), None
        if body is not None:
            content = _encoded(body)
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        found = self._attempted(lambda: self._once(method, address, headers, content))
        return self._read(*found, address)

    def exists(self, *path: str) -> bool:
        """Return whether a GET of the path succeeds; False if it is not found."""
        try:
            self.get(*path)
        except NotFound:
            return False
        return True

    def put_file(self, *path: str, file: Path) -> Any:
        """Send a file as the body of a PUT, read in pieces; each attempt sends all of it."""
        headers = {
            **self._headers,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(file.stat().st_size),
        }

        def send() -> urllib3.BaseHTTPResponse:
            with file.open("rb") as content:
                return self._pool.request(
                    "PUT",
                    self._address(path),
                    body=content,
                    headers=headers,
                    redirect=False,
                    preload_content=False,
                )

        return self._read(*self._attempted(lambda: self._answered(send())), self._address(path))

    @contextmanager
    def chunks(self, *path: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Yield the content at a path from the byte `start`, in pieces.

        Raises:
            RegistryError: the server refused.
            Unreachable: no response, or it was interrupted.
        """
        address = self._address(path)
        headers = {**self._headers, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        found: list[urllib3.BaseHTTPResponse] = []

        def open_file() -> tuple[int, bytes, str, float]:
            response = self._pool.request(
                "GET", address, headers=headers, redirect=False, preload_content=False
            )
            if response.status != (206 if start else 200):
                return self._answered(response)
            found.append(response)
            return response.status, b"", "", 0.0

        refused = self._attempted(open_file)
        if not found:
            self._read(*refused, address)
            raise Unreachable(f"{address} did not return a file.")
        try:
            yield self._pieces(found[0])
        finally:
            found[0].release_conn()

    def _pieces(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            yield from response.stream(PIECE, decode_content=False)
        except (HTTPError, OSError) as error:
            raise Unreachable(
                f"The connection to {self.base} was interrupted: {_reason(error)}."
            ) from None

    def _address(self, path: tuple[str, ...]) -> str:
        return f"{self.base}{PREFIX}" + "".join(f"/{quote(part, safe='')}" for part in path)

    def _attempted(
        self, once: Callable[[], tuple[int, bytes, str, float]]
    ) -> tuple[int, bytes, str]:
        """Return the response; retry with increasing pauses while the server is overloaded."""
        attempt = 0
        while True:
            attempt += 1
            is_last = attempt == self._attempts
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)) * _spread()
            try:
                status, answer, kind, retry_after = once()
            except (HTTPError, OSError) as error:
                if is_last or isinstance(error, LocationParseError):
                    raise self._unreachable(error) from None
            else:
                if status not in _TRY_AGAIN or is_last:
                    return status, answer, kind
                pause = max(pause, min(_LONGEST_PAUSE, retry_after))
            time.sleep(pause)

    def _unreachable(self, error: Exception) -> Unreachable:
        """Return the error for a connection that failed, with what to check."""
        said = f"{self.base} cannot be reached: {_reason(error)}."
        if isinstance(error, SSLError) and "WRONG_VERSION_NUMBER" in str(error):
            plain = f"http{self.base.removeprefix('https')}"
            said = f"{self.base} does not answer with HTTPS. If it uses HTTP, write {plain}."
        elif isinstance(error, NewConnectionError) and self.base == DEFAULT_URL:
            said += " This is the default address. Set OBEYA_URL or --url to use another server."
        return Unreachable(said)

    def _once(
        self, method: str, address: str, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[int, bytes, str, float]:
        return self._answered(
            self._pool.request(
                method,
                address,
                body=content,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
        )

    def _answered(self, response: urllib3.BaseHTTPResponse) -> tuple[int, bytes, str, float]:
        try:
            answer = response.read(ANSWER_MAX + 1, decode_content=True)
            if len(answer) > ANSWER_MAX:
                raise Unreachable(f"{self.base} returned more than {ANSWER_MAX:,} bytes.")
        finally:
            response.release_conn()
        for sentence in _sentences(response.headers.get(SIMILAR_NAMES, "")):
            warnings.warn(sentence, SimilarNameWarning, stacklevel=2)
        return (
            response.status,
            answer,
            response.headers.get("Content-Type", "").partition(";")[0].strip(),
            _seconds(response.headers.get("Retry-After", "")),
        )

    def _read(self, status: int, answer: bytes, kind: str, address: str) -> Any:
        if status == 204 or (status < 300 and not answer):
            return None
        where = f"{urlsplit(address).path} on {self.base}"
        if 300 <= status < 400:
            raise Unreachable(
                f"{where} returned a redirect ({status}), which is not followed. Check the address."
            )
        if kind not in ("application/json", PROBLEM_JSON):
            what = f"{kind or 'no content type'} with status {status}"
            raise Unreachable(
                f"{where} returned {what}, which is not a response of Obeya. Check the address."
            )
        try:
            document = json.loads(answer)
        except ValueError:
            raise Unreachable(f"{where} returned invalid JSON.") from None
        if status < 300:
            return document
        if not isinstance(document, Mapping):
            raise RegistryError(f"{where} returned status {status}.")
        refused = error_from_problem(document)
        if isinstance(refused, NotSignedIn) and "Authorization" not in self._headers:
            raise NotSignedIn(
                f"{self.base} requires an API token. Set OBEYA_TOKEN, or pass the token as --token "
                "(in Python: token=…)."
            )
        raise refused


def _encoded(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"This cannot be sent as JSON: {error}.") from None


def _spread() -> float:
    # Clients that failed at the same time should not retry at the same time.
    return random.uniform(0.5, 1)  # noqa: S311 - not used for security


def _sentences(header: str) -> list[str]:
    """Return the sentences of a header; none if it is not a JSON list of texts."""
    try:
        found = json.loads(header)
    except ValueError:
        return []
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _reason(error: Exception) -> str:
    """Return the reason, without the representation and the number that the library adds."""
    text = re.sub(r"\[Errno -?\d+\] ", "", str(getattr(error, "reason", None) or error))
    return text.rpartition(": ")[2].rstrip(".") or type(error).__name__
