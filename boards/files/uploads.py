"""Read the body of a request as a stream, without loading all of it into memory."""

from __future__ import annotations

from django.http import HttpRequest

from boards.files.blob_store import Body
from obeya.errors import InvalidInput

_NO_LENGTH = "The request needs a Content-Length header."


class _Unbroken:
    """A body whose client may disconnect. Errors of the server become `InvalidInput`.

    Not every server raises one: granian and wsgiref report the end of the body. Whoever reads it
    compares the number of bytes with the announced length.
    """

    def __init__(self, body: Body) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        try:
            return self._body.read(size)
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidInput(
                "The request body ended early. Send it again.", field="body"
            ) from error


class _Nothing:
    def read(self, size: int, /) -> bytes:
        return b""


def body_of(request: HttpRequest) -> tuple[Body, int | None]:
    """Return the body and its announced length in bytes; None if it is sent in chunks.

    A body in chunks whose client disconnects ends like a complete one. Use it only for content
    that is checked in another way.

    Raises:
        InvalidInput: the announced length cannot be read.
    """
    stated = request.META.get("CONTENT_LENGTH", "")
    if stated:
        if not stated.isascii() or not stated.isdigit():
            raise InvalidInput("The Content-Length is not a number.", field="Content-Length")
        return _Unbroken(request), int(stated)
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return _Nothing(), 0
    # Django does not read a body without a length; the server decodes the chunks.
    if request.META.get("wsgi.input_terminated"):
        return _Unbroken(request.META["wsgi.input"]), None
    raise InvalidInput(_NO_LENGTH, field="Content-Length")


def sized_body_of(request: HttpRequest) -> tuple[Body, int]:
    """Return the body and its announced length in bytes.

    Raises:
        InvalidInput: the length is not announced or cannot be read.
    """
    body, length = body_of(request)
    if length is None:
        raise InvalidInput(_NO_LENGTH, field="Content-Length")
    return body, length
