"""Store content on disk or in a bucket, each blob once under its SHA-256.

An upload is received into a separate directory and hashed meanwhile. It is placed, in one step,
only if it is complete, within the limit and has the stated digest; otherwise it is removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from obeya.errors import DigestMismatch, InvalidInput, StorageFull, TooLarge

PIECE = 1024 * 1024
_MEBIBYTE = 1024 * 1024
# Uploads in progress, and the notes of the digest under which an upload in pieces was stored.
_UNFINISHED = ("*.part", "*.stored")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Body(Protocol):
    """Content that is being received."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; b"" at the end."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Content that was received completely and is not placed yet."""

    sha256: str
    size: int
    path: Path


@contextmanager
def arrived(body: Body, *, size: int | None, sha256: str = "") -> Iterator[Arrived]:
    """Receive content; when the block ends, it is removed unless it was placed.

    `size` is the announced size in bytes, None if none was announced; `sha256` is the digest that
    the content must have, "" for any.

    Raises:
        TooLarge: the content exceeds the upload limit; if the size was announced, no byte is read.
        InvalidInput: fewer bytes arrived than were announced.
        DigestMismatch: the content does not have the stated digest.
        StorageFull: there is not enough free space.
    """
    require_room(size or 0)
    path = incoming() / f"{uuid.uuid4()}.part"
    try:
        with full_disk_as_error():
            found = _gather(body, path, _limit())
        if size is not None and found.size != size:
            raise InvalidInput(
                f"Received {found.size:,} of {size:,} bytes. Send the content again.",
                field="Content-Length",
            )
        if sha256 and found.sha256 != sha256:
            raise DigestMismatch(f"The content has the SHA-256 {found.sha256}, not {sha256}.")
        yield found
    finally:
        path.unlink(missing_ok=True)


def require_room(size: int) -> None:
    """Check that a file of so many bytes is allowed and fits.

    Raises `TooLarge` or `StorageFull`.
    """
    if size > _limit():
        raise _too_large(_limit())
    if size > shutil.disk_usage(incoming()).free:
        raise _full()


def incoming() -> Path:
    """Return the directory of uploads that are not complete yet; create it if it is missing."""
    folder: Path = settings.OBEYA_INCOMING_DIR
    with full_disk_as_error():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _limit() -> int:
    return int(settings.OBEYA_UPLOAD_MAX_MIB) * _MEBIBYTE


def _gather(body: Body, path: Path, limit: int) -> Arrived:
    digest, size = hashlib.sha256(), 0
    # Buffered: an unbuffered write to a disk that becomes full writes a part and raises no error.
    with path.open("xb") as file:
        path.chmod(0o600)
        while piece := body.read(PIECE):
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return Arrived(digest.hexdigest(), size, path)


def place(content: Arrived) -> None:
    """Move content to its final place. Content that is there under its digest is replaced."""
    storage, name = _storage(), _name(content.sha256)
    with full_disk_as_error():
        if not isinstance(storage, FileSystemStorage):
            with content.path.open("rb") as file:
                storage.save(name, File(file))
            return
        target = Path(storage.path(name))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content.path.replace(target)
        _sync(target.parent)


def open_blob(sha256: str) -> BinaryIO:
    """Open the content of a blob for reading; the caller closes it. Raises `FileNotFoundError`."""
    return cast(BinaryIO, _storage().open(_name(sha256), "rb"))


def opened_size(file: BinaryIO) -> int:
    """Return the size in bytes of content that `open_blob` opened."""
    return int(cast("File[bytes]", file).size)


def is_there(sha256: str) -> bool:
    """Return whether there is content with this digest."""
    return _storage().exists(_name(sha256))


def stored_contents() -> Iterator[str]:
    """Yield the digest of everything that is stored, with or without a row."""
    storage = _storage()
    for first in _folders(storage, "blobs"):
        for second in _folders(storage, f"blobs/{first}"):
            yield from sorted(storage.listdir(f"blobs/{first}/{second}")[1])


def _folders(storage: Storage, path: str) -> list[str]:
    try:
        return sorted(storage.listdir(path)[0])
    except FileNotFoundError:
        return []


def placed_at(sha256: str) -> datetime:
    """Return when content was last placed. Raises `FileNotFoundError`."""
    return _storage().get_modified_time(_name(sha256))


def size_of(sha256: str) -> int:
    """Return the size of content in bytes. Raises `FileNotFoundError`."""
    return _storage().size(_name(sha256))


def discard(sha256: str) -> None:
    """Remove content; missing content is ignored."""
    _storage().delete(_name(sha256))


def unfinished_uploads(older_than: float) -> list[Path]:
    """Return the files of the incoming directory that were not written since that timestamp (s)."""
    folder: Path = settings.OBEYA_INCOMING_DIR
    parts = [path for pattern in _UNFINISHED for path in folder.glob(pattern)]
    return sorted(part for part in parts if part.stat().st_mtime < older_than)


def _storage() -> Storage:
    return storages["artifacts"]


def _name(sha256: str) -> str:
    if len(sha256) != 64 or not sha256.isalnum():
        raise ValueError(f"{sha256[:80]!r} is not a digest")
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def full_disk_as_error() -> Iterator[None]:
    """Raise `StorageFull` if the disk becomes full inside."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full() from None
        raise


def _full() -> StorageFull:
    return StorageFull("The disk is full. The file was not stored.")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A file can have at most {limit // _MEBIBYTE:,} MiB (OBEYA_UPLOAD_MAX_MIB).")
