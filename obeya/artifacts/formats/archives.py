"""Archives and compressed files: zip, tar, gzip, bzip2, xz, LZMA and zlib.

Every byte has to belong to a member, a header or padding, because loaders disagree about the rest.
"""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO, Protocol, cast

from obeya.artifacts.formats.pickles import Stream
from obeya.artifacts.reading import PIECE, Budget, NotInspected, Source

MEMBERS_MAX = 10_000
# The directory of so many members with long names; it is read into memory as a whole.
_DIRECTORY_MAX = 4 * 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024
_LZMA_MEMORY = 128 * 1024 * 1024
_ZIP_TAIL = 65_557 + 76
_ZIP_END = 22
_LOCAL = struct.Struct("<4s2xHH4x4xIIHH")
_LOCAL_SIZE = 30
_STORED, _HAS_DESCRIPTOR, _ENCRYPTED = 0, 0x08, 0x01
_UNKNOWN_SIZE = 0xFFFFFFFF
_DESCRIPTOR_SIZES = (12, 16, 20, 24)
_ERRORS = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, zipfile.BadZipFile)

Member = tuple[str, Source]


def zip_members(source: Source, budget: Budget) -> Iterator[Member]:
    """Yield name and content of each member of a zip archive.

    Raises:
        NotInspected: the archive is broken, or not all of its bytes belong to its members.
    """
    _check_directory(source)
    try:
        with zipfile.ZipFile(cast(IO[bytes], source.opened())) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            if len(infos) > MEMBERS_MAX:
                raise NotInspected(f"too large (more than {MEMBERS_MAX:,} members)")
            ends = [*(info.header_offset for info in infos[1:]), archive.start_dir]
            for info, end in zip(infos, ends, strict=True):
                budget.step()
                start = _data_start(source, info)
                if info.compress_type == _STORED:
                    yield info.filename, source.region(start, info.file_size)
                elif not info.is_dir():
                    with archive.open(info) as opened, spooled(opened, budget) as content:
                        yield info.filename, content
                _check_end(source, info, start + info.compress_size, end)
            last = source.read_at(source.size - _ZIP_END, _ZIP_END)
            if not infos or infos[0].header_offset or last[:4] != b"PK\x05\x06" or archive.comment:
                raise NotInspected("the zip archive has bytes outside its members")
            if len({info.filename for info in infos}) < len(infos):
                raise NotInspected("the zip archive has two members of the same name")
    except (NotImplementedError, RuntimeError) as error:
        raise NotInspected("a member is encrypted or compressed in an unknown way") from error
    except (*_ERRORS, struct.error) as error:
        _raise_error_of_system(error)
        raise NotInspected("the zip archive is damaged") from error


def is_zip(source: Source) -> bool:
    """Return whether loaders find a zip archive here: they read its directory, at the end."""
    _, size = _directory(source)
    if size > _DIRECTORY_MAX:
        return source.read_at(0, 2) == b"PK"
    if not size:
        return source.read_at(0, 4) == b"PK\x03\x04"
    try:
        with zipfile.ZipFile(cast(IO[bytes], source.opened())) as archive:
            return bool(archive.infolist())
    except (*_ERRORS, struct.error, NotImplementedError):
        return source.read_at(0, 4) == b"PK\x03\x04"


def _check_directory(source: Source) -> None:
    _, size = _directory(source)
    if not size:
        raise NotInspected("the directory of the zip archive cannot be read")
    if size > _DIRECTORY_MAX:
        raise NotInspected("too large (the directory of the zip archive)")


def _directory(source: Source) -> tuple[int, int]:
    """Return end and size of a zip archive's directory, as the record after it states the size."""
    start = max(0, source.size - _ZIP_TAIL)
    tail = source.read_at(start, _ZIP_TAIL)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < _ZIP_END:
        return 0, 0
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if length == _UNKNOWN_SIZE:
        large = tail.rfind(b"PK\x06\x06", 0, end)
        length = int.from_bytes(tail[large + 40 : large + 48], "little") if large >= 0 else 0
    return start + end, length


def _data_start(source: Source, info: zipfile.ZipInfo) -> int:
    """Return the place of a member's data, after its header, which must agree with the directory.

    Some loaders read only the headers, others only the directory.
    """
    header = source.read_at(info.header_offset, _LOCAL_SIZE)
    if len(header) < _LOCAL_SIZE:
        raise NotInspected("the zip archive is damaged")
    magic, flags, method, packed, size, name_size, extra_size = _LOCAL.unpack(header)
    name = source.read_at(info.header_offset + _LOCAL_SIZE, name_size)
    known = (name.decode("cp437"), name.decode("utf-8", "replace"))
    agrees = magic == b"PK\x03\x04" and method == info.compress_type and info.orig_filename in known
    if not flags & _HAS_DESCRIPTOR:
        agrees = agrees and packed in (info.compress_size, _UNKNOWN_SIZE)
        agrees = agrees and size in (info.file_size, _UNKNOWN_SIZE)
    if info.compress_type == _STORED:
        agrees = agrees and info.compress_size == info.file_size
    if not agrees:
        raise NotInspected("the headers of the zip archive contradict its directory")
    if (flags | info.flag_bits) & _ENCRYPTED:
        raise NotInspected("a member is encrypted or compressed in an unknown way")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise NotInspected("the zip archive contains a link")
    return info.header_offset + _LOCAL_SIZE + int(name_size) + int(extra_size)


def _check_end(source: Source, info: zipfile.ZipInfo, data_end: int, end: int) -> None:
    gap = end - data_end
    if info.flag_bits & _HAS_DESCRIPTOR and gap in _DESCRIPTOR_SIZES:
        stated = source.read_at(data_end, gap)
        start = 4 if gap in (16, 24) else 0
        if stated[start : start + 4] == info.CRC.to_bytes(4, "little"):
            return
    if gap:
        raise NotInspected("the zip archive has bytes outside its members")


def is_tar(head: bytes) -> bool:
    """Return whether the first 512 bytes are the header of a tar archive, by its checksum."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def tar_members(source: Source, budget: Budget) -> Iterator[Member]:
    """Yield name and content of each file of a tar archive; raises like `zip_members`."""
    files = []
    try:
        with tarfile.open(fileobj=cast(BinaryIO, source.opened()), mode="r:") as archive:
            for count, member in enumerate(archive):
                budget.step()
                if count >= MEMBERS_MAX:
                    raise NotInspected(f"too large (more than {MEMBERS_MAX:,} members)")
                if member.issparse() or "size" in member.pax_headers:
                    raise NotInspected("the tar archive has a member in an unknown format")
                if member.isfile():
                    files.append((member.offset_data, member.offset_data + member.size))
                    yield member.name, source.region(member.offset_data, member.size)
                elif not member.isdir():
                    raise NotInspected("the tar archive contains a link or a device")
            end = archive.offset
    except (tarfile.TarError, *_ERRORS) as error:
        _raise_error_of_system(error)
        raise NotInspected("the tar archive is damaged") from error
    directory_end, size = _directory(source)
    directory = directory_end - size
    if size and not any(start <= directory and directory_end <= last for start, last in files):
        # Its directory was not read with a member, so its members were not read as such.
        raise NotInspected("the tar archive is a zip archive too")
    while end < source.size:
        if (piece := source.read_at(end, PIECE)).strip(b"\0"):
            raise NotInspected("the tar archive has bytes outside its members")
        end += len(piece)


def _raise_error_of_system(error: Exception) -> None:
    """Raise an error of the disk or the network, which says nothing about the file."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error


class _Decompressor(Protocol):
    """The common interface of the decompressors of bz2 and lzma."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, packed: bytes, at_most: int, /) -> bytes: ...


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

    @property
    def unused_data(self) -> bytes:
        return self._own.unused_data

    def decompress(self, packed: bytes, at_most: int, /) -> bytes:
        return self._own.decompress(self._own.unconsumed_tail + packed, at_most)


@dataclass(frozen=True, slots=True)
class Compression:
    """A compression. Without a signature, a file only may be compressed so."""

    name: str
    create: Callable[[], _Decompressor]
    has_signature: bool = True


_GZIP = Compression("gzip", lambda: _Zlib(16 + zlib.MAX_WBITS))
_BZIP2 = Compression("bzip2", bz2.BZ2Decompressor)
_XZ = Compression("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY))
_LZMA = Compression(
    "LZMA",
    lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY),
    has_signature=False,
)
_ZLIB = Compression("zlib", lambda: _Zlib(zlib.MAX_WBITS), has_signature=False)


def compression_of(head: bytes) -> Compression | None:
    """Return how a file that begins with `head` is or may be compressed, None if it is not."""
    if head[:2] == b"\x1f\x8b":
        return _GZIP
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return _BZIP2
    if head[:6] == b"\xfd7zXZ\x00":
        return _XZ
    # The window of zlib is at most 32 KiB; the first two bytes are a multiple of 31.
    is_deflate = len(head) > 2 and head[0] & 0x0F == 8 and head[0] >> 4 <= 7
    if is_deflate and int.from_bytes(head[:2], "big") % 31 == 0:
        return _ZLIB
    # The properties, the size of the dictionary, the unpacked size, the first byte of the data.
    size = int.from_bytes(head[5:13], "little")
    if len(head) > 13 and head[0] < 225 and not head[13] and (size < 2**38 or size == 2**64 - 1):
        return _LZMA
    return None


class Unpacked:
    """The output of a compressed file, members one after the other.

    A read raises `NotInspected` if the file is broken or has bytes after its last member.
    """

    def __init__(self, source: Source, compression: Compression) -> None:
        self._source, self._compression = source, compression
        self._decompressor = compression.create()
        self._place, self._packed = 0, b""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; empty at the end."""
        try:
            while True:
                if self._decompressor.eof and not self._next_member():
                    return b""
                if self._decompressor.needs_input:
                    self._packed = self._packed or self._more()
                    if not self._packed:
                        raise NotInspected(f"the {self._compression.name} data is incomplete")
                packed, self._packed = self._packed, b""
                if found := self._decompressor.decompress(packed, min(size, PIECE)):
                    return found
        except _ERRORS as error:
            _raise_error_of_system(error)
            raise NotInspected(f"the {self._compression.name} data is damaged") from error

    def _next_member(self) -> bool:
        rest = self._packed = self._decompressor.unused_data + self._packed
        rest = self._packed = rest or self._more()
        if not rest:
            return False
        if not self._compression.has_signature:
            raise NotInspected(f"there are bytes after the {self._compression.name} data")
        self._decompressor = self._compression.create()
        return True

    def _more(self) -> bytes:
        piece = self._source.read_at(self._place, PIECE)
        self._place += len(piece)
        return piece


@contextmanager
def spooled(stream: Stream, budget: Budget) -> Iterator[Source]:
    """Unpack a stream into a temporary file, which is removed in the end."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        size = 0
        while piece := stream.read(PIECE):
            budget.unpack(len(piece))
            file.write(piece)
            size += len(piece)
        yield Source(cast(BinaryIO, file), size)
