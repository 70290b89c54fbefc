"""Readers of PNG and JPEG images, from the first byte to the last."""

from __future__ import annotations

import re
import zlib

from obeya.artifacts.reading import PIECE, Budget, Cursor, NotInspected, Report, Source

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
_END, _SCAN = 0xD9, 0xDA
# Markers without a length: TEM, and the restarts within a scan.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
# A marker that ends the data of a scan: 0xFF is followed by 0 if it is data, and can be repeated.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)


def read_png(source: Source, report: Report, budget: Budget) -> None:
    """Read the chunks of a PNG image. Raises `NotInspected`."""
    report.format = "PNG image"
    cursor, kind = Cursor(source, budget, len(PNG_MAGIC)), b""
    while kind != b"IEND":
        length = int.from_bytes(cursor.exactly(4), "big")
        kind = cursor.exactly(4)
        checksum = zlib.crc32(kind)
        while length:
            piece = cursor.exactly(min(length, PIECE))
            checksum = zlib.crc32(piece, checksum)
            length -= len(piece)
        if cursor.exactly(4) != checksum.to_bytes(4, "big"):
            raise NotInspected("not a valid PNG image")
    _check_end(cursor)


def read_jpeg(source: Source, report: Report, budget: Budget) -> None:
    """Read the segments and scans of a JPEG image. Raises `NotInspected`."""
    report.format = "JPEG image"
    cursor, marker = Cursor(source, budget, 2), 0
    while marker != _END:
        if cursor.exactly(1) != b"\xff":
            raise NotInspected("not a valid JPEG image")
        marker = _marker(cursor)
        while marker != _END:
            if marker not in _BARE:
                length = int.from_bytes(cursor.exactly(2), "big")
                if length < 2:
                    raise NotInspected("not a valid JPEG image")
                cursor.skip(length - 2)
            if marker != _SCAN:
                break
            marker = _after_scan(source, cursor, budget)
    _check_end(cursor)


def _marker(cursor: Cursor) -> int:
    while (marker := cursor.exactly(1)[0]) == 0xFF:
        pass
    return marker


def _after_scan(source: Source, cursor: Cursor, budget: Budget) -> int:
    """Skip the data of a scan and return the marker after it."""
    while True:
        piece = source.read_at(cursor.place, PIECE)
        # A file can consist of scans without data: what is read again counts again.
        budget.unpack(len(piece))
        if match := _MARKER.search(piece):
            cursor.skip(match.end())
            return piece[match.end() - 1]
        # The last byte may be the first one of a marker.
        cursor.skip(max(1, len(piece) - 1))


def _check_end(cursor: Cursor) -> None:
    if not cursor.is_at_end:
        raise NotInspected("there are bytes after the image")
