"""Search for pickles in a file, and in the archives and compressed streams it is or contains.

Archives are read within a budget, because a small archive can unpack to any size. Parts that were
not searched completely are reported, never skipped silently.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from obeya.artifacts.pickles import PickleFinding, Stream, find_pickle

UNPACKED_MAX = 256 * 1024 * 1024
MEMBERS_MAX = 10_000
_DEPTH_MAX = 3
_DIRECTORY_MAX = 32 * 1024 * 1024
_NESTED_MAX = 16 * 1024 * 1024
_PICKLES_SHOWN = 20
_NAME_SHOWN = 250
_PIECE = 64 * 1024
_ZIP_TAIL = 65_557
_ZLIB_FIRST, _GZIP_WBITS = 0x78, 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class PickleSearch:
    """The pickles found in a file, each with the archive member that contains it.

    The member is empty for the file itself. `unsearched` says why a part of the file could not be
    searched; it is empty if everything was searched.
    """

    pickles: list[tuple[str, PickleFinding]] = field(default_factory=list)
    unsearched: str = ""


def search_pickles(file: BinaryIO, size: int) -> PickleSearch:
    """Search a seekable file; nothing of it is kept or run."""
    search = _Search()
    try:
        file.seek(0)
        search.stream(file, "", 0)
        if _looks_like_zip(file, size):
            search.zip(file, size, "", 0)
    except _Spent:
        search.found.unsearched = "its unpacked content exceeds the search limit"
    return search.found


class _Spent(Exception):
    """The budget is used up."""


class _Search:
    def __init__(self) -> None:
        self.found = PickleSearch()
        self._budget = UNPACKED_MAX
        self._members = MEMBERS_MAX

    def stream(self, raw: Stream, where: str, depth: int) -> None:
        """Search a stream that is read from the first byte to the last."""
        source = _Peeked(raw)
        head = source.peek(512)
        unpacked = _unpacked(head, source)
        if unpacked is not None or _is_tar(head):
            if depth >= _DEPTH_MAX:
                self.found.unsearched = "its archives are nested too deeply"
            elif unpacked is not None:
                self._unless_broken(lambda: self.stream(self._metered(unpacked), where, depth + 1))
            else:
                self._unless_broken(lambda: self._tar(source, where, depth))
            return
        if head[:4] == b"PK\x03\x04" and depth:
            self._nested_zip(source, where, depth)
            return
        if head[:6] == b"\x93NUMPY":
            _skip_numpy_header(source)
        finding = find_pickle(source)
        if finding is not None and len(self.found.pickles) < _PICKLES_SHOWN:
            self.found.pickles.append((where[:_NAME_SHOWN], finding))

    def zip(self, file: BinaryIO, size: int, where: str, depth: int) -> None:
        """Search the members of a zip archive, as torch.save and numpy.savez write."""
        if not 0 < _zip_directory_size(file, size) <= _DIRECTORY_MAX:
            self.found.unsearched = "the archive's directory cannot be read"
            return
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if member.is_dir():
                        continue
                    self._count_member()
                    self._zip_member(archive, member, where, depth)
        except (zipfile.BadZipFile, struct.error, ValueError, OSError):
            self.found.unsearched = "the archive is damaged"

    def _zip_member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str, depth: int
    ) -> None:
        name = f"{where}/{member.filename}" if where else member.filename
        try:
            with archive.open(member) as opened:
                self.stream(self._metered(opened), name, depth + 1)
        except (NotImplementedError, RuntimeError):
            self.found.unsearched = "a part is encrypted or uses an unknown compression method"
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError):
            self.found.unsearched = "a part of the archive is damaged"

    def _tar(self, source: Stream, where: str, depth: int) -> None:
        with tarfile.open(fileobj=_AsFile(source), mode="r|") as archive:
            for member in archive:
                self._count_member()
                opened = archive.extractfile(member) if member.isfile() else None
                if opened is not None:
                    name = f"{where}/{member.name}" if where else member.name
                    self.stream(self._metered(opened), name, depth + 1)

    def _nested_zip(self, source: _Peeked, where: str, depth: int) -> None:
        content = source.read_all(_NESTED_MAX + 1)
        if depth >= _DEPTH_MAX or len(content) > _NESTED_MAX:
            self.found.unsearched = "a nested archive is too large or nested too deeply"
            return
        self.zip(io.BytesIO(content), len(content), where, depth)

    def _unless_broken(self, search: Callable[[], None]) -> None:
        try:
            search()
        except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError):
            self.found.unsearched = "the compressed data is damaged"

    def _count_member(self) -> None:
        self._members -= 1
        if self._members < 0:
            raise _Spent

    def _metered(self, stream: Stream) -> Stream:
        return _Metered(stream, self)

    def spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise _Spent


class _Metered:
    """A stream that counts every byte against the budget."""

    def __init__(self, stream: Stream, search: _Search) -> None:
        self._stream, self._search = stream, search

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(size)
        self._search.spend(len(piece))
        return piece


class _Peeked:
    """A stream whose beginning can be read in advance."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._head = stream, b""

    def peek(self, size: int) -> bytes:
        while len(self._head) < size and (piece := self._stream.read(size - len(self._head))):
            self._head += piece
        return self._head[:size]

    def read(self, size: int, /) -> bytes:
        if self._head:
            found, self._head = self._head[:size], self._head[size:]
            return found
        return self._stream.read(size)

    def read_all(self, at_most: int) -> bytes:
        pieces, left = [], at_most
        while left > 0 and (piece := self.read(min(left, _PIECE))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


class _AsFile(io.RawIOBase):
    """Adapter of a stream for tarfile: a read returns as many bytes as requested."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        pieces, left = [], size
        while left > 0 and (piece := self._stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


class _Decompressor(Protocol):
    """The common interface of the decompressors of bz2 and lzma."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, packed: bytes, at_most: int, /) -> bytes: ...


class _Unpacked:
    """The output of a decompressor for a stream, in pieces of limited size."""

    def __init__(self, stream: Stream, decompressor: _Decompressor) -> None:
        self._stream, self._decompressor = stream, decompressor

    def read(self, size: int, /) -> bytes:
        while not self._decompressor.eof:
            packed = b""
            if self._decompressor.needs_input and not (packed := self._stream.read(_PIECE)):
                break
            if found := self._decompressor.decompress(packed, min(size, _PIECE)):
                return found
        return b""


class _Zlib:
    """The decompressor of zlib with the interface of those of bz2 and lzma."""

    def __init__(self, wbits: int) -> None:
        self._own = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._own.eof

    @property
    def needs_input(self) -> bool:
        return not self._own.unconsumed_tail

    def decompress(self, packed: bytes, at_most: int, /) -> bytes:
        return self._own.decompress(self._own.unconsumed_tail + packed, at_most)


def _unpacked(head: bytes, source: Stream) -> _Unpacked | None:
    """Return the unpacked stream if it is compressed with gzip, bzip2, xz or zlib, else None."""
    if head[:2] == b"\x1f\x8b":
        return _Unpacked(source, _Zlib(_GZIP_WBITS))
    if head[:3] == b"BZh":
        return _Unpacked(source, bz2.BZ2Decompressor())
    if head[:6] == b"\xfd7zXZ\x00" or head[:3] == b"]\x00\x00":
        return _Unpacked(source, lzma.LZMADecompressor(memlimit=128 * 1024 * 1024))
    # The compression that joblib uses; the first two bytes are a multiple of 31.
    if len(head) > 2 and head[0] == _ZLIB_FIRST and int.from_bytes(head[:2], "big") % 31 == 0:
        return _Unpacked(source, _Zlib(zlib.MAX_WBITS))
    return None


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _looks_like_zip(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - _ZIP_TAIL))
    return b"PK\x05\x06" in file.read(_ZIP_TAIL)


def _zip_directory_size(file: BinaryIO, size: int) -> int:
    """Return the size of a zip archive's directory in bytes, as the record at its end states it."""
    start = max(0, size - _ZIP_TAIL - 76)
    file.seek(start)
    tail = file.read(_ZIP_TAIL + 76)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        return 0
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if length == 0xFFFFFFFF:
        large = tail.rfind(b"PK\x06\x06", 0, end)
        length = int.from_bytes(tail[large + 40 : large + 48], "little") if large >= 0 else 0
    return length


def _skip_numpy_header(source: _Peeked) -> None:
    """Skip to the data of an array; if it contains Python objects, a pickle starts there."""
    lead = source.read_all(8)
    width = 2 if lead[6:7] == b"\x01" else 4
    source.read_all(min(int.from_bytes(source.read_all(width), "little"), _PIECE))
