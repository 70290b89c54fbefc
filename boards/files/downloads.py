"""Send files, always as attachments: a browser never displays them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

from boards.files import blob_store
from obeya.artifacts.records import ArtifactFile
from obeya.errors import RegistryError

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})\Z")
_UNSAFE = re.compile(r"[^\w.-]", re.ASCII)


class BytesGone(RegistryError):
    """The content of a file is missing from the storage."""

    code = "bytes_gone"
    http_status = 500


def file_response(request: HttpRequest, file: ArtifactFile) -> HttpResponseBase:
    """Return the file, a part of it (Range), or a 304 (If-None-Match).

    Its ETag is its SHA-256. One range is supported; a request for several gets the whole file (RFC
    9110, 14.2).

    Raises:
        BytesGone: the content is missing from the storage.
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
    part: HttpResponseBase
    if request.method == "HEAD":
        part = HttpResponse()
    else:
        part = StreamingHttpResponse(_pieces(_opened(file), start, end))
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


def _opened(file: ArtifactFile) -> BinaryIO:
    try:
        return blob_store.open_blob(file.sha256)
    except FileNotFoundError:
        raise BytesGone(
            f"The content of {file.path} is missing from the storage. "
            "Run obeya doctor --blobs to list all missing content."
        ) from None


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


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = end - start
        while left > 0 and (piece := file.read(min(left, blob_store.PIECE))):
            left -= len(piece)
            yield piece
