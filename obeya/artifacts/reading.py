"""Bounded reading of untrusted files, and what their inspection reports."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from obeya.artifacts.formats.pickles import PickleFinding

UNPACKED_MAX = 256 * 1024 * 1024
STEPS_MAX = 10_000_000
PIECE = 64 * 1024
JSON_MAX = 16 * 1024 * 1024
_JSON_PARTS_MAX = 1_000_000
_PICKLES_SHOWN = 20
_CODE_SHOWN = 20
_SHOWN = 250


class NotInspected(Exception):
    """The file cannot be read to its end; the message completes “could not be inspected: …”."""


class TooLarge(NotInspected):
    """The inspection would exceed a bound on time, memory or members."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"too large ({detail})")


def parsed_json(text: bytes) -> Any:
    """Return a JSON document of at most `JSON_MAX` bytes.

    Raises:
        TooLarge: it is longer, or has so many parts that parsing it would take too much memory.
        NotInspected: it is not JSON.
    """
    if len(text) > JSON_MAX or sum(map(text.count, (b",", b"[", b"{"))) > _JSON_PARTS_MAX:
        raise TooLarge("JSON that has to be parsed")
    try:
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotInspected("not valid JSON") from error


@dataclass(frozen=True, slots=True)
class Source:
    """A region of a seekable file: `size` bytes from `start` on."""

    file: BinaryIO
    size: int
    start: int = 0

    def read_at(self, place: int, size: int) -> bytes:
        """Return up to `size` bytes from `place` on, fewer at the end of the region."""
        self.file.seek(self.start + place)
        wanted = max(0, min(size, self.size - place))
        pieces = []
        while wanted > 0 and (piece := self.file.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def region(self, place: int, size: int) -> Source:
        """Return a part of this region."""
        return Source(self.file, size, self.start + place)

    def opened(self) -> io.BufferedReader:
        """Return the region as a file for a library."""
        return io.BufferedReader(_AsFile(self), PIECE)


class _AsFile(io.RawIOBase):
    def __init__(self, source: Source) -> None:
        self._source, self._place = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._source.size}[whence]
        self._place = max(0, base + place)
        return self._place

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read_at(self._place, len(buffer))
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


class Budget:
    """The work that the inspection of one file can take, archives in it included.

    Steps are counted instead of seconds, so that a busy machine gives the same result.
    """

    def __init__(self) -> None:
        self._bytes = UNPACKED_MAX
        self._steps = STEPS_MAX

    def unpack(self, size: int) -> None:
        """Count unpacked bytes. Raises `TooLarge`."""
        self._bytes -= size
        if self._bytes < 0:
            raise TooLarge(f"it unpacks to more than {UNPACKED_MAX // 2**20:,} MiB")

    def step(self, count: int = 1) -> None:
        """Count members, fields or other small parts. Raises `TooLarge`."""
        self._steps -= count
        if self._steps < 0:
            raise TooLarge("it has too many parts")


class Cursor:
    """Reads a source from one place forward; every read counts as a step."""

    def __init__(self, source: Source, budget: Budget, place: int = 0) -> None:
        self._source, self._budget = source, budget
        self._buffer, self._at, self._next = b"", 0, place

    @property
    def place(self) -> int:
        """The place of the next byte in the source."""
        return self._next - len(self._buffer) + self._at

    @property
    def is_at_end(self) -> bool:
        """Whether all of the source was read."""
        return self.place >= self._source.size

    def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes. Raises `NotInspected` if there are fewer."""
        self._budget.step()
        if len(self._buffer) - self._at < size:
            rest = self._buffer[self._at :]
            more = self._source.read_at(self._next, max(PIECE, size - len(rest)))
            self._buffer, self._at = rest + more, 0
            self._next += len(more)
            if len(self._buffer) < size:
                raise NotInspected("it is incomplete")
        found = self._buffer[self._at : self._at + size]
        self._at += size
        return found

    def number(self, size: int) -> int:
        """Return a little-endian unsigned number of `size` bytes."""
        return int.from_bytes(self.exactly(size), "little")

    def skip(self, size: int) -> None:
        """Skip `size` bytes. Raises `NotInspected` if there are fewer."""
        if size > self._source.size - self.place:
            raise NotInspected("it is incomplete")
        if size <= len(self._buffer) - self._at:
            self._at += size
        else:
            self._next = self.place + size
            self._buffer, self._at = b"", 0


@dataclass(slots=True)
class Reference:
    """A file that another file of the artifact needs, relative to the folder of that file.

    `covers`: the file consists of described raw data up to this size in bytes; -1 for any size,
    None if it must be of a recognised format.
    """

    path: str
    covers: int | None = None


@dataclass(slots=True)
class Report:
    """The result of an inspection.

    `format` is empty if it was not recognised. `details` are what pages show of the format.
    `pickles` are the pickles found, each with the archive member that contains it, which is empty
    for the file itself; `code` is what runs when the file is loaded; `problem` says why a part
    could not be inspected, and is empty if everything was read to its end.
    """

    format: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    pickles: list[tuple[str, PickleFinding]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    problem: str = ""

    def runs(self, what: str) -> None:
        """Add something that runs when the file is loaded."""
        if what not in self.code and len(self.code) < _CODE_SHOWN:
            self.code.append(what[:_SHOWN])

    def fails(self, reason: str) -> None:
        """Add a reason why it was not inspected; the first one is kept."""
        self.problem = self.problem or reason[: 2 * _SHOWN]

    def take(self, member: Report, where: str) -> None:
        """Add the report of an archive member."""
        room = _PICKLES_SHOWN - len(self.pickles)
        self.pickles += [
            (f"{where}/{inner}" if inner else where, found) for inner, found in member.pickles
        ][:room]
        for what in member.code:
            self.runs(f"{what} in {where}")
        if member.problem:
            self.fails(f"{where}: {member.problem}")
        elif member.references:
            self.fails(f"{where} refers to files outside the archive")
