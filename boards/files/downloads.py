"""Send files, always as attachments: a browser never displays them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

from boards.files.stored_content import DamagedContent, StoredContent
from obeya.artifacts.records import ArtifactFile, Damage
from obeya.errors import DamagedFile

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})\Z")
_UNSAFE = re.compile(r"[^\w.-]", re.ASCII)
logger = logging.getLogger(__name__)


NoteDamage = Callable[[DamagedContent], None]


def file_response(
    request: HttpRequest, file: ArtifactFile, note_damage: NoteDamage
) -> HttpResponseBase:
    """Return the file, a part of it (Range), or a 304 (If-None-Match).

    Its ETag is its SHA-256. One range is supported; a request for several gets the whole file (RFC
    9110, 14.2). The whole file is hashed while it is sent: if it was altered, the transfer ends
    before its last piece. `note_damage` is called with damage that is new.

    Raises:
        DamagedFile: the content is missing, has another size, or is known to be altered.
    """
    etag = f'"{file.sha256}"'
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if etag in known or "*" in known:
        return _described(HttpResponse(status=HTTPStatus.NOT_MODIFIED), file, etag)
    span = _asked_range(request, file.size, etag)
    if span is not None and span[0] >= span[1]:
        response = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        response["Content-Range"] = f"bytes */{file.size}"
        return response
    start, end = span or (0, file.size)
    if file.damage is Damage.CONTENT:
        raise _error(file, file.damage)
    part: HttpResponseBase
    if request.method == "HEAD":
        with _opened(file, note_damage):
            part = HttpResponse()
    else:
        pieces = _pieces(file, start, end, note_damage)
        # Read before the response begins: the content of a small file is verified completely then.
        part = StreamingHttpResponse(_continued(next(pieces, b""), pieces))
    part["Content-Length"] = str(end - start)
    if span is not None:
        part.status_code = HTTPStatus.PARTIAL_CONTENT
        part["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return _described(part, file, etag)


def _described(response: HttpResponseBase, file: ArtifactFile, etag: str) -> HttpResponseBase:
    name = file.path.rpartition("/")[2]
    plain = _UNSAFE.sub("_", name)
    response["Content-Type"] = "application/octet-stream"
    response["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    # Even if a browser displays it, it cannot do anything.
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _asked_range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """Return where the requested part begins and ends: None for the whole file.

    An empty part if the range cannot be satisfied.
    """
    found = _RANGE.match(request.headers.get("Range", "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None
    return start, min(size, int(found[2]) + 1) if found[2] else size


def _pieces(
    file: ArtifactFile, start: int, end: int, note_damage: NoteDamage
) -> Generator[bytes, None, None]:
    is_whole = (start, end) == (0, file.size)
    with _opened(file, note_damage) as content:
        yield from content.verified() if is_whole else content.part(start, end)


@contextmanager
def _opened(file: ArtifactFile, note_damage: NoteDamage) -> Iterator[StoredContent]:
    """Open the content of a file. Raises `DamagedFile` if it is damaged, here or in the block."""
    try:
        with StoredContent(file.sha256, file.size) as content:
            yield content
    except DamagedContent as found:
        if found.damage is not file.damage:
            try:
                note_damage(found)
            except Exception:
                # The next read notices it too.
                logger.exception("The damage could not be stored.")
        raise _error(file, found.damage) from None


def _continued(first: bytes, pieces: Generator[bytes, None, None]) -> Iterator[bytes]:
    with closing(pieces):
        yield first
        yield from pieces


def _error(file: ArtifactFile, damage: Damage) -> DamagedFile:
    return DamagedFile(
        f"The stored content of {file.path} (SHA-256 {file.sha256}) {damage.sentence}. Upload the "
        "file again, or restore the content from a backup and run obeya doctor."
    )
