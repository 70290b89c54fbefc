"""Uploads that come in pieces and go on where they broke off: the bytes that are here so far.

A piece is appended to a file in the incoming directory whose name only this site can reckon from
who sends what. Nothing of it is a blob before the last piece came; what never gets that far goes
with the other unfinished uploads.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.utils.crypto import salted_hmac

from boards import blob_store
from boards.blob_store import Body
from obeya.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Sending:
    """What is being sent: who sends which file of how many bytes to where.

    `modified` is what the sender knows of the file's last change: another is another file.
    """

    user: int
    version: int
    path: str
    size: int
    modified: str = ""

    @property
    def name(self) -> str:
        """The name that the pieces are kept under."""
        what = "\n".join((str(self.user), str(self.version), str(self.size), self.modified))
        return salted_hmac(
            "obeya.upload-pieces", f"{what}\n{self.path}", algorithm="sha256"
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Received:
    """How many bytes of a file are here, and its SHA-256 once it is stored ("" before)."""

    size: int
    sha256: str = ""


def gathered(sending: Sending) -> int:
    """How many bytes lie here in pieces."""
    try:
        return _pieces(sending).stat().st_size
    except FileNotFoundError:
        return 0


def finished_as(sending: Sending) -> str:
    """The SHA-256 that it had when its last piece came; "" before that, and a day later."""
    with suppress(FileNotFoundError):
        return _note(sending).read_text()
    return ""


def append(sending: Sending, body: Body, *, offset: int) -> int:
    """Add what comes at `offset`; how many bytes are here after that.

    Where another number of bytes is here nothing is added: the sender goes on from what is. What
    came before the client went away stays.

    Raises:
        TooLarge: the whole is over the limit of the site.
        InvalidInput: more came than the whole has, or the body broke off.
        StorageFull: there is no room.
    """
    blob_store.require_room(sending.size)
    with blob_store.no_room_is_said(), _pieces(sending).open("ab", buffering=0) as file:
        _pieces(sending).chmod(0o600)
        # Two windows that send the same file take turns, and the second finds that it is there.
        fcntl.flock(file, fcntl.LOCK_EX)
        here = os.fstat(file.fileno()).st_size
        if here != offset:
            return here
        while piece := body.read(blob_store.PIECE):
            here += len(piece)
            if here > sending.size:
                file.truncate(0)
                raise InvalidInput(
                    f"More than the {sending.size:,} bytes came that the file has; send it again.",
                    field="size",
                )
            file.write(piece)
        return here


def opened(sending: Sending) -> BinaryIO:
    """All that came, to be read and closed."""
    return _pieces(sending).open("rb")


def finish(sending: Sending, sha256: str) -> None:
    """Note under which digest it was stored, and drop the pieces."""
    _note(sending).write_text(sha256)
    _pieces(sending).unlink(missing_ok=True)


def _pieces(sending: Sending) -> Path:
    return blob_store.incoming() / f"{sending.name}.part"


def _note(sending: Sending) -> Path:
    return blob_store.incoming() / f"{sending.name}.stored"
