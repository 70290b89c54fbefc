"""The address that a server printed, kept beside its data for commands that print links."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = "address"


@contextmanager
def kept_address(directory: Path, address: str) -> Iterator[None]:
    """Keep the address of a server that runs within this; a lock on the file says that it does."""
    path = directory / FILE
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write(address)
        file.flush()
        try:
            yield
        finally:
            # Another server on the same data may have put its own there since.
            with suppress(OSError):
                if path.read_text("utf-8") == address:
                    path.unlink()


def running_address(directory: Path) -> str | None:
    """The address of the server that runs on this data; None when none does.

    What a server left that was killed does not count: its lock went with it.
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
