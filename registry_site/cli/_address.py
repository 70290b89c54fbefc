"""The address that a server printed, stored in its data directory for commands that print links."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = "address"


@contextmanager
def kept_address(directory: Path, address: str) -> Iterator[None]:
    """Store the address of a server that runs inside.

    A lock on the file shows that it is running.
    """
    path = directory / FILE
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write(address)
        file.flush()
        try:
            yield
        finally:
            # Another server on the same data may have stored its address since.
            with suppress(OSError):
                if path.read_text("utf-8") == address:
                    path.unlink()


def running_address(directory: Path) -> str | None:
    """Return the address of the server that runs on this data; None if none does.

    The file of a server that was killed does not count: its lock was released.
    """
    try:
        with (directory / FILE).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or None
    except OSError:
        return None
    return None
