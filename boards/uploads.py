"""The body of a request as it comes in, for content that is never held as a whole."""

from __future__ import annotations

from django.http import HttpRequest

from boards.blob_store import Body
from obeya.errors import InvalidInput


class _Unbroken:
    """A body whose client may go away; what the server raises then says so in one way."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        try:
            return self._body.read(size)
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidInput("The body broke off; send it again.", field="body") from error


class _Nothing:
    def read(self, size: int, /) -> bytes:
        return b""


def body_of(request: HttpRequest) -> tuple[Body, int | None]:
    """The body, and how long it says that it is; None where it comes in chunks.

    Raises:
        InvalidInput: its length is not stated as the server can read it.
    """
    stated = request.META.get("CONTENT_LENGTH", "")
    if stated:
        if not stated.isascii() or not stated.isdigit():
            raise InvalidInput("The Content-Length is no number.", field="Content-Length")
        return _Unbroken(request), int(stated)
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return _Nothing(), 0
    # Django reads no body without a length; a server that takes chunks apart gives what is in them.
    if request.META.get("wsgi.input_terminated"):
        return _Unbroken(request.META["wsgi.input"]), None
    raise InvalidInput("State the Content-Length of the body.", field="Content-Length")
