"""Inspection of a file by its content, independent of its name.

A file counts as inspected only if it has a recognised format and was read to its end. Nothing is
loaded, unpickled or run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import BinaryIO

from obeya.artifacts.formats import archives, gguf, hdf5, images, numpy_arrays
from obeya.artifacts.formats.onnx import is_onnx, read_onnx
from obeya.artifacts.formats.pickles import find_pickle
from obeya.artifacts.formats.safetensors import is_safetensors, read_safetensors
from obeya.artifacts.formats.texts import read_text
from obeya.artifacts.messages import read_saved_model, read_sentencepiece
from obeya.artifacts.reading import Budget, NotInspected, Report, Source

INSPECTOR = 4
"""The version of the inspection. Files inspected by an older one are inspected again."""

NOT_RECOGNISED = "its format is not recognised"
FAILED = "the inspection failed"
SCRIPT = "script"
_SCRIPT_SUFFIXES = (
    ".bash", ".bat", ".cmd", ".jl", ".js", ".lua", ".mjs", ".pl", ".ps1", ".py", ".pyi", ".pyw",
    ".pyx", ".r", ".rb", ".sh", ".zsh",
)  # fmt: skip
_COMPRESSED = f"{NOT_RECOGNISED} (it is compressed)"
_TOO_DEEP = "its archives are nested too deeply"
_DEPTH_MAX = 3
# The first protocol whose pickles begin with a mark; older ones also fit other files by chance.
_BINARY = 2
# The beginnings of files that are packed in a way that is not read here: Zstandard and its
# skippable frames, LZ4, lzip, LZO, 7z, RAR, Snappy.
_PACKED = (
    b"\x28\xb5\x2f\xfd", *(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60)),
    b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"LZIP", b"\x89LZO", b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07", b"\xff\x06\x00\x00sNaPpY",
)  # fmt: skip
_HEAD = 512
_PYC_FLAGS_MAX = 3
_MARSHALLED_CODE, _SHARED_FLAG = 0x63, 0x80
logger = logging.getLogger(__name__)


def inspect(file: BinaryIO, size: int) -> Report:
    """Return the report of a seekable file of `size` bytes."""
    return _Inspector().report(Source(file, size))


def is_script(path: str) -> bool:
    """Return whether the name of a file is that of a script; its content does not always tell."""
    return path.lower().endswith(_SCRIPT_SUFFIXES)


class _Inspector:
    def __init__(self) -> None:
        self._budget = Budget()

    def report(self, source: Source, depth: int = 0) -> Report:
        report = Report()
        try:
            self._read(source, report, depth)
        except NotInspected as error:
            report.fails(str(error))
        except Exception as error:
            # An error of the disk says nothing about the file.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            logger.exception("The inspection of a file failed.")
            report.fails(FAILED)
        return report

    def _read(self, source: Source, report: Report, depth: int) -> None:
        head = source.read_at(0, _HEAD)
        # A file can be a pickle and a container at once: which one it is depends on the loader.
        finding = find_pickle(source.opened(), self._budget)
        if finding is not None and (finding.imports or finding.protocol >= _BINARY):
            report.pickles.append(("", finding))
        if archives.is_tar(head):
            report.format = "tar archive"
            self._read_members(archives.tar_members(source, self._budget), report, depth)
            return
        if archives.is_zip(source):
            report.format = "zip archive"
            names = self._read_members(archives.zip_members(source, self._budget), report, depth)
            _read_kind_of_zip(names, report)
            return
        compression = archives.compression_of(head)
        if compression and self._read_compressed(source, compression, report, depth):
            return
        if finding is not None:
            report.format = "pickle"
            report.pickles = [("", finding)]
            return
        if not self._read_format(source, head, report):
            raise NotInspected(_COMPRESSED if head.startswith(_PACKED) else NOT_RECOGNISED)

    def _read_format(self, source: Source, head: bytes, report: Report) -> bool:
        """Read a file by the first reader that recognises its format; return whether one does."""
        budget = self._budget
        for magic, read in _READERS:
            if head.startswith(magic):
                read(source, report, budget)
                return True
        if is_safetensors(head):
            read_safetensors(source, report)
            return True
        if is_onnx(head) and (
            read_onnx(source, report, budget) or read_saved_model(source, report, budget)
        ):
            return True
        if head[:1] == b"\n" and read_sentencepiece(source, report, budget):
            return True
        if _is_pyc(head):
            report.format = "compiled Python"
            report.runs("compiled Python (.pyc)")
            raise NotInspected("compiled Python is not read")
        return read_text(source, report)

    def _read_members(
        self, members: Iterable[archives.Member], report: Report, depth: int
    ) -> list[str]:
        if depth >= _DEPTH_MAX:
            raise NotInspected(_TOO_DEEP)
        names = []
        for name, content in members:
            names.append(name)
            inner = self.report(content, depth + 1)
            if is_script(name):
                inner.runs(SCRIPT)
            report.take(inner, name)
        return names

    def _read_compressed(
        self, source: Source, compression: archives.Compression, report: Report, depth: int
    ) -> bool:
        """Read what is compressed; return False if nothing is."""
        unpacked = archives.Unpacked(source, compression)
        if compression.has_signature:
            report.format = f"{compression.name} data"
            if depth >= _DEPTH_MAX:
                raise NotInspected(_TOO_DEEP)
        part = unpacked if compression.has_signature else _Part(unpacked)
        with archives.spooled(part, self._budget) as content:
            if isinstance(part, _Part) and part.is_broken:
                finding = find_pickle(content.opened(), self._budget)
                if finding is None:
                    return False
                inner = Report(pickles=[("", finding)])
            elif depth >= _DEPTH_MAX:
                raise NotInspected(_TOO_DEEP)
            else:
                inner = self.report(content, depth + 1)
        report.format = f"{compression.name} data"
        report.pickles += inner.pickles
        report.code = inner.code
        if inner.problem or inner.references:
            report.fails(inner.problem or "it refers to files outside the archive")
        return True


class _Part:
    """The beginning of a compressed file that may be none; it ends where the file is broken."""

    def __init__(self, stream: archives.Unpacked) -> None:
        self._stream = stream
        self.is_broken = False

    def read(self, size: int, /) -> bytes:
        try:
            return b"" if self.is_broken else self._stream.read(size)
        except NotInspected:
            self.is_broken = True
            return b""


def _read_kind_of_zip(names: list[str], report: Report) -> None:
    if any("/code/" in name for name in names) and any(
        name.endswith("/constants.pkl") for name in names
    ):
        report.format = "TorchScript"
        report.runs("TorchScript")
    elif "config.json" in names and "metadata.json" in names:
        report.format = "Keras model"


def _is_pyc(head: bytes) -> bool:
    flags = int.from_bytes(head[4:8], "little")
    return (
        len(head) > 16
        and head[2:4] == b"\r\n"
        and flags <= _PYC_FLAGS_MAX
        and head[16] & ~_SHARED_FLAG == _MARSHALLED_CODE
    )


_READERS: tuple[tuple[bytes, Callable[[Source, Report, Budget], None]], ...] = (
    (gguf.MAGIC, gguf.read_gguf),
    (numpy_arrays.MAGIC, numpy_arrays.read_numpy),
    (hdf5.MAGIC, hdf5.read_hdf5),
    (images.PNG_MAGIC, images.read_png),
    (images.JPEG_MAGIC, images.read_jpeg),
)
