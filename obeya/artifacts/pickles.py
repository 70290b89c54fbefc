"""Detection of pickles by their content, without loading them.

A pickle is a program for a small virtual machine that can call anything Python can import
(https://docs.python.org/3/library/pickle.html). The opcodes are read here, never executed. The
search covers the positions that loaders read: the beginning of a file, and of each member of an
archive. A search without findings does not mean that a file is safe.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

GLOBALS_SHOWN = 50
_OPCODES_MAX = 200_000
_PICKLES_MAX = 20
_LINE_MAX = 4_096
_TEXT_KEPT = 256
_PIECE = 64 * 1024
# Opcodes that call something or let an object set its state.
_CALLS = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
_IMPORTS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_TEXTS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING"}
)
_NAME = re.compile(r"[^\W\d][\w.]*\Z")
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


class Stream(Protocol):
    """Bytes that are read once, from the first to the last."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; empty at the end."""


@dataclass(slots=True)
class PickleFinding:
    """The findings in the opcodes of one pickle or of several consecutive pickles.

    `imports` are the names that loading would import, such as ``posix.system``: at most 50, in
    order of appearance.
    """

    protocol: int
    imports: list[str] = field(default_factory=list)


def find_pickle(stream: Stream) -> PickleFinding | None:
    """Return the findings if there is a pickle at the beginning of the stream, else None."""
    reader = _Reader(stream)
    finding: PickleFinding | None = None
    for _ in range(_PICKLES_MAX):
        one = _read_pickle(reader)
        if one is None:
            break
        if finding is None:
            finding = PickleFinding(one.protocol)
        finding.imports.extend(name for name in one.imports if name not in finding.imports)
        # Old versions of torch.save write several consecutive pickles.
        if not one.stopped:
            break
    if finding is not None:
        del finding.imports[GLOBALS_SHOWN:]
    return finding


@dataclass(slots=True)
class _Pickle:
    protocol: int
    imports: list[str]
    stopped: bool


class _End(Exception):
    """The stream ends, or continues with bytes that cannot be part of a pickle."""


def _read_pickle(reader: _Reader) -> _Pickle | None:
    """Read the pickle that begins here.

    A truncated pickle counts too: its calls are executed before the loader reaches the end.
    """
    protocol, count, calls, stopped = 0, 0, False, False
    imports: list[str] = []
    memory = _Memory()
    try:
        for name, argument in _opcodes(reader):
            if name == "PROTO":
                if count:
                    break
                protocol = argument[0]
                if not 2 <= protocol <= 5:
                    return None
            count += 1
            if name in _IMPORTS:
                imported = memory.imported(name, argument)
                if imported is None:
                    break
                imports.append(imported)
            calls = calls or (name in _CALLS and bool(imports))
            memory.see(name, argument)
            if name == "STOP":
                stopped = True
                break
    except _End:
        pass
    if protocol:
        is_pickle = stopped or calls or count >= 4
    else:
        # Protocol 0 is text, and other text can start like it by coincidence.
        is_pickle = calls or (stopped and count >= 3 and (bool(imports) or reader.is_at_end))
    return _Pickle(protocol, imports, stopped) if is_pickle else None


class _Memory:
    """The texts that were pushed last, and the memoized texts."""

    def __init__(self) -> None:
        self._pushed: list[str] = []
        self._put: dict[int, str] = {}
        self._memoized = 0
        self._last_was_text = False

    def see(self, name: str, argument: bytes) -> None:
        if name in _TEXTS:
            self._push(argument.decode(errors="replace"))
            return
        if name == "MEMOIZE" or name in _PUTS:
            index = self._memoized if name == "MEMOIZE" else _index(name, argument)
            if self._last_was_text and self._pushed:
                self._put[index] = self._pushed[-1]
            self._memoized += 1
            return
        if name in _GETS:
            text = self._put.get(_index(name, argument))
            if text is not None:
                self._push(text)
                return
        if name != "FRAME":
            self._last_was_text = False

    def imported(self, name: str, argument: bytes) -> str | None:
        """Return what an opcode imports; None if that is not a possible name."""
        if name == "STACK_GLOBAL":
            return ".".join(self._pushed[-2:]) if len(self._pushed) >= 2 else "?"
        parts = argument.decode(errors="replace").split("\n")
        if len(parts) != 2 or not all(_NAME.match(part) for part in parts):
            return None
        return ".".join(parts)

    def _push(self, text: str) -> None:
        self._pushed = [*self._pushed[-1:], text]
        self._last_was_text = True


def _index(name: str, argument: bytes) -> int:
    if name in ("PUT", "GET"):
        return int(argument) if argument.isdigit() and len(argument) < 10 else -1
    return int.from_bytes(argument, "little")


def _opcodes(reader: _Reader) -> Iterator[tuple[str, bytes]]:
    """Yield each opcode with the beginning of its argument. Raises `_End` if no opcode follows."""
    for _ in range(_OPCODES_MAX):
        opcode = _OPCODES.get(reader.exactly(1)[0])
        if opcode is None:
            raise _End
        yield opcode.name, _argument(reader, opcode)


def _argument(reader: _Reader, opcode: pickletools.OpcodeInfo) -> bytes:
    if opcode.arg is None:
        return b""
    width = opcode.arg.n
    if width == pickletools.UP_TO_NEWLINE:
        line = reader.line()
        return line + b"\n" + reader.line() if opcode.name in ("GLOBAL", "INST") else line
    if width >= 0:
        return reader.exactly(width)
    length = int.from_bytes(reader.exactly(_WIDTHS[width]), "little")
    kept = reader.exactly(min(length, _TEXT_KEPT))
    reader.skip(length - len(kept))
    return kept


class _Reader:
    """Reads a stream in pieces; skipped bytes are not kept in memory."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether the stream is at its end."""
        return not self._fill(1)

    def exactly(self, size: int) -> bytes:
        if not self._fill(size):
            raise _End
        found = self._held[self._at : self._at + size]
        self._at += size
        return found

    def line(self) -> bytes:
        """Return the bytes up to the next line feed, which is skipped."""
        for size in (256, _LINE_MAX):
            self._fill(size)
            end = self._held.find(b"\n", self._at, self._at + size)
            if end >= 0:
                found = self._held[self._at : end]
                self._at = end + 1
                return found
        raise _End

    def skip(self, size: int) -> None:
        while size > 0:
            if not self._fill(1):
                raise _End
            step = min(size, len(self._held) - self._at)
            self._at += step
            size -= step

    def _fill(self, size: int) -> bool:
        """Read until at least `size` bytes are buffered; False if the stream has fewer."""
        while len(self._held) - self._at < size:
            piece = self._stream.read(_PIECE)
            if not piece:
                return False
            self._held = self._held[self._at :] + piece
            self._at = 0
        return True
