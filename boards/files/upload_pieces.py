"""Store the pieces of a file that is uploaded in several requests.

The pieces of a file are joined in one file in the incoming directory. Its name is derived from the
user, the file and the version, with the secret key. It becomes a blob when the last piece has
arrived; an upload that is never completed is removed with the other unfinished uploads.

Layout of the joined file: 8 bytes with the number of bytes that count (big-endian), then the
content. A piece counts only when all of it has arrived:

1. The body is received into a temporary file, which is removed when the body is shorter than the
   request announced.
2. Under a lock, the whole piece is copied to the end of the joined file and synced to disk.
3. The number of bytes that count is updated, as the last step.

If the server is killed during step 1 or 2, the number is unchanged: what follows the counted bytes
is ignored and overwritten by the next piece.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.utils.crypto import salted_hmac

from boards.files import blob_store
from boards.files.blob_store import Arrived, Body
from obeya.errors import InvalidInput

_COUNT = struct.Struct(">Q")
# Part of the file name. Change it with the layout, so that no file of another layout is read.
_LAYOUT = "obeya.upload-pieces.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """An upload in pieces: the user, the version, the path and the size of the file in bytes.

    `modified` is the time of the file's last change as the sender states it. A file that was
    changed since is another upload.
    """

    user: int
    version: int
    path: str
    size: int
    modified: str = ""

    @property
    def name(self) -> str:
        """The file name, without its extension, that the pieces are stored under."""
        what = "\n".join((str(self.user), str(self.version), str(self.size), self.modified))
        return salted_hmac(_LAYOUT, f"{what}\n{self.path}", algorithm="sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Received:
    """The number of bytes of a file that are stored, and its SHA-256 when complete ("" before)."""

    size: int
    sha256: str = ""


def gathered(sending: Sending) -> int:
    """Return the number of bytes that are stored in whole pieces."""
    try:
        with _pieces(sending).open("rb") as file:
            return _counted(file)
    except FileNotFoundError:
        return 0


def finished_as(sending: Sending) -> str:
    """Return the SHA-256 of a complete upload; "" before its last piece, and a day after it."""
    with suppress(FileNotFoundError):
        return _note(sending).read_text()
    return ""


def append(sending: Sending, body: Body, *, length: int, offset: int) -> int:
    """Add a piece of `length` bytes at `offset`; return the number of bytes that are stored then.

    If another number of bytes is stored than `offset`, nothing is added, and the sender continues
    from the number that is returned. A piece that does not arrive completely is removed.

    Raises:
        TooLarge: the whole file exceeds the upload limit.
        InvalidInput: the piece reaches past the end of the file, or the body is shorter than
            `length`.
        StorageFull: the disk is full.
    """
    blob_store.require_room(sending.size)
    here = gathered(sending)
    if here != offset:
        return here
    if offset + length > sending.size:
        with _joined(sending) as file:
            if _counted(file) == offset:
                _count(file, 0)
                os.ftruncate(file.fileno(), _COUNT.size)
        raise InvalidInput(
            f"Received more than the {sending.size:,} bytes of the file. Upload it again.",
            field="size",
        )
    # Received without the lock: a client that stops sending must not block a second attempt.
    with (
        blob_store.arrived(body, size=length) as piece,
        blob_store.full_disk_as_error(),
        _joined(sending) as file,
    ):
        here = _counted(file)
        # Two windows can send the same piece. The first that arrives counts.
        if here == offset:
            _add(file, piece, offset)
            here += length
        return here


def opened(sending: Sending) -> BinaryIO:
    """Open the joined content for reading. The caller closes it."""
    file = _pieces(sending).open("rb")
    file.seek(_COUNT.size)
    return file


def finish(sending: Sending, sha256: str) -> None:
    """Record the digest of the stored file, and remove the pieces."""
    _note(sending).write_text(sha256)
    _pieces(sending).unlink(missing_ok=True)


@contextmanager
def _joined(sending: Sending) -> Iterator[BinaryIO]:
    """Open the joined file, locked, to be read and written. It is created if it is missing."""
    handle = os.open(_pieces(sending), os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _counted(file: BinaryIO) -> int:
    """Return how many bytes count; 0 if the file is new."""
    stored = os.pread(file.fileno(), _COUNT.size, 0)
    return int(_COUNT.unpack(stored)[0]) if len(stored) == _COUNT.size else 0


def _count(file: BinaryIO, size: int) -> None:
    os.pwrite(file.fileno(), _COUNT.pack(size), 0)


def _add(file: BinaryIO, piece: Arrived, offset: int) -> None:
    """Add a whole piece at `offset`, and remove what a killed server left behind it."""
    os.ftruncate(file.fileno(), _COUNT.size + offset)
    try:
        file.seek(_COUNT.size + offset)
        with piece.path.open("rb") as content:
            while part := content.read(blob_store.PIECE):
                file.write(part)
        file.flush()
        os.fsync(file.fileno())
    except BaseException:
        os.ftruncate(file.fileno(), _COUNT.size + offset)
        raise
    _count(file, offset + piece.size)


def _pieces(sending: Sending) -> Path:
    return blob_store.incoming() / f"{sending.name}.part"


def _note(sending: Sending) -> Path:
    return blob_store.incoming() / f"{sending.name}.stored"
