"""Detection of pickles by their content, without loading them.

A pickle is a program for a small virtual machine that can call anything Python can import
(https://docs.python.org/3/library/pickle.html). The opcodes are read here, never executed: a file
is a pickle if a loader would come to its end, or to a call. Where loaders differ, the more
permissive one counts.
"""

from __future__ import annotations

import pickletools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

IMPORTS_SHOWN = 50
# A file with so many valid opcodes is a pickle, whatever follows.
_OPCODES_MAX = 200_000
_PICKLES_MAX = 20
_KEPT = 256
_PIECE = 64 * 1024
# Opcodes that call something or let an object set its state.
_CALLS = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
_IMPORTS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_TEXTS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING"}
)
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_WHOLE_NUMBER = re.compile(rb"\s*[+-]?(?=\w*\d)\w+\s*")


class Steps(Protocol):
    """A bound on the work of an inspection."""

    def step(self, count: int = 1) -> None:
        """Count small parts; raise an error if there are too many."""


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


def find_pickle(stream: Stream, budget: Steps) -> PickleFinding | None:
    """Return the findings if there is a pickle at the beginning of the stream, else None.

    Every opcode counts as a step of the budget.
    """
    reader = _Reader(stream)
    finding: PickleFinding | None = None
    imports: dict[str, None] = {}
    for _ in range(_PICKLES_MAX):
        one = _read_pickle(reader, budget)
        if one is None:
            break
        if finding is None:
            finding = PickleFinding(one.protocol)
        imports |= one.imports
        # Old versions of torch.save write several consecutive pickles.
        if not one.stopped:
            break
    if finding is not None:
        finding.imports = list(imports)[:IMPORTS_SHOWN]
    return finding


@dataclass(slots=True)
class _Pickle:
    protocol: int
    imports: dict[str, None]
    stopped: bool


class _Broken(Exception):
    """A loader would raise an error here."""


def _read_pickle(reader: _Reader, budget: Steps) -> _Pickle | None:
    """Read the pickle that begins here.

    A broken pickle counts too if loading it calls something before the error, or imports a module
    of the standard library, some of which do something when they are imported. One that gets an
    object that was not put into the memo, as it seems here, counts only if it imports something.
    """
    protocol, count, calls, stopped, is_of_python = 0, 0, False, False, False
    imports: dict[str, None] = {}
    stack, memory = _Stack(), _Memory()
    try:
        for opcode, argument in _opcodes(reader):
            name = opcode.name
            count += 1
            budget.step()
            if name == "PROTO" and count == 1:
                protocol = argument[0]
                if protocol > 5:
                    return None
            stack.apply(opcode)
            memory.see(name, argument)
            if name in _IMPORTS:
                imported = memory.imported(name, argument)
                is_of_python = is_of_python or _is_of_python(imported)
                if len(imports) < IMPORTS_SHOWN:
                    imports[imported] = None
            if name in _CALLS and imports:
                calls = True
            if name == "STOP":
                stopped = True
                break
        else:
            calls = True
    except _Broken:
        pass
    is_complete = stopped and (bool(imports) or not memory.has_missed)
    is_pickle = is_complete or calls or is_of_python or (protocol >= 2 and count >= 4)
    return _Pickle(protocol, imports, stopped) if is_pickle else None


def _is_of_python(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


class _Stack:
    """The number of objects on the loader's stack since the last mark, and before each mark."""

    def __init__(self) -> None:
        self._count = 0
        self._below: list[int] = []

    def apply(self, opcode: pickletools.OpcodeInfo) -> None:
        name, before = opcode.name, opcode.stack_before
        if name == "MARK":
            self._below.append(self._count)
            self._count = 0
            return
        if name == "POP" and not self._count:
            self._to_mark()
            return
        if pickletools.markobject in before:
            place = before.index(pickletools.markobject)
            if name == "OBJ" and not self._count:
                raise _Broken
            self._to_mark()
            before = before[:place]
        needed = 1 if name in _PUTS or name == "STOP" else len(before)
        if self._count < needed:
            raise _Broken
        self._count += len(opcode.stack_after) - len(before)

    def _to_mark(self) -> None:
        if not self._below:
            raise _Broken
        self._count = self._below.pop()


class _Memory:
    """The texts that were pushed last, and the memoized objects: their text if they are one.

    `has_missed`: an object was taken that is not known here. It could exist for a loader, because
    only the beginning of an index is read.
    """

    def __init__(self) -> None:
        self.has_missed = False
        self._pushed: list[str] = []
        self._put: dict[int, str] = {}
        self._last_was_text = False

    def see(self, name: str, argument: bytes) -> None:
        if name in _TEXTS:
            self._push(argument.decode(errors="replace"))
            return
        if name == "MEMOIZE" or name in _PUTS:
            index = len(self._put) if name == "MEMOIZE" else _index(name, argument)
            self._put[index] = self._pushed[-1] if self._last_was_text else ""
            return
        if name in _GETS:
            text = self._put.get(_index(name, argument))
            self.has_missed = self.has_missed or text is None
            if text:
                self._push(text)
                return
        if name != "FRAME":
            self._last_was_text = False

    def imported(self, name: str, argument: bytes) -> str:
        """Return what an opcode imports."""
        if name == "STACK_GLOBAL":
            return ".".join(self._pushed[-2:]) if len(self._pushed) >= 2 else "?"
        if name.startswith("EXT"):
            return f"extension {int.from_bytes(argument, 'little')}"
        return argument.decode(errors="replace").replace("\n", ".")

    def _push(self, text: str) -> None:
        self._pushed = [*self._pushed[-1:], text]
        self._last_was_text = True


def _index(name: str, argument: bytes) -> int:
    if name in ("PUT", "GET"):
        return int(argument) if _is_parsed(int, argument) else -1
    return int.from_bytes(argument, "little")


def _opcodes(reader: _Reader) -> Iterator[tuple[pickletools.OpcodeInfo, bytes]]:
    """Yield each opcode with the beginning of its argument. Raises `_Broken` where none follows."""
    for _ in range(_OPCODES_MAX):
        opcode = _OPCODES.get(reader.exactly(1)[0])
        if opcode is None:
            raise _Broken
        yield opcode, _argument(reader, opcode)


def _argument(reader: _Reader, opcode: pickletools.OpcodeInfo) -> bytes:
    if opcode.arg is None:
        return b""
    width = opcode.arg.n
    if width == pickletools.UP_TO_NEWLINE:
        line = reader.line()
        _check_line(opcode.name, line)
        return line + b"\n" + reader.line() if opcode.name in ("GLOBAL", "INST") else line
    if width >= 0:
        return reader.exactly(width)
    length = int.from_bytes(reader.exactly(_WIDTHS[width]), "little")
    kept = reader.exactly(min(length, _KEPT))
    reader.skip(length - len(kept))
    return kept


def _check_line(name: str, line: bytes) -> None:
    """Raise `_Broken` if no loader accepts the line as the opcode's argument."""
    # One of the loaders of Python ends numbers at a null character.
    if len(line) >= _KEPT or b"\0" in line:
        return
    if name in ("INT", "LONG"):
        well = _WHOLE_NUMBER.fullmatch(line) is not None
    elif name in ("PUT", "GET"):
        well = _is_parsed(int, line)
    elif name == "FLOAT":
        well = _is_parsed(float, line)
    elif name == "STRING":
        text = line.rstrip()
        well = len(text) >= 2 and text[0] == text[-1] and text[:1] in (b"'", b'"')
    else:
        well = True
    if not well:
        raise _Broken


def _is_parsed(kind: type[int | float], line: bytes) -> bool:
    try:
        kind(line)
    except ValueError:
        return False
    return True


class _Reader:
    """Reads a stream in pieces; skipped bytes are not kept in memory."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0

    def exactly(self, size: int) -> bytes:
        while len(self._held) - self._at < size:
            if not self._more():
                raise _Broken
        found = self._held[self._at : self._at + size]
        self._at += size
        return found

    def line(self) -> bytes:
        """Return the beginning of a line, which the next line feed or the end of the file ends."""
        kept = b""
        while True:
            end = self._held.find(b"\n", self._at)
            piece = self._held[self._at : end if end >= 0 else len(self._held)]
            kept += piece[: _KEPT - len(kept)]
            self._at += len(piece)
            if end >= 0:
                self._at += 1
                return kept
            if not self._more():
                return kept

    def skip(self, size: int) -> None:
        while size > 0:
            if self._at == len(self._held) and not self._more():
                raise _Broken
            step = min(size, len(self._held) - self._at)
            self._at += step
            size -= step

    def _more(self) -> bool:
        piece = self._stream.read(_PIECE)
        self._held = self._held[self._at :] + piece
        self._at = 0
        return bool(piece)
