"""Read stored content and notice if it no longer has its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Self

from boards.files import blob_store
from obeya.artifacts.records import Damage


class DamagedContent(Exception):
    """Stored content is missing or no longer has its digest.

    `placed_at` is when the content was stored, None if it is missing. Content that was stored
    again later can be intact.
    """

    def __init__(self, sha256: str, damage: Damage, placed_at: datetime | None) -> None:
        super().__init__(f"The content {sha256} {damage.sentence}.")
        self.sha256 = sha256
        self.damage = damage
        self.placed_at = placed_at


class StoredContent:
    """Content that is open for reading: a context manager that closes it.

    Raises:
        DamagedContent: it is missing, or does not have `size` bytes.
    """

    def __init__(self, sha256: str, size: int) -> None:
        self._sha256 = sha256
        self._size = size
        try:
            self.file = blob_store.open_blob(sha256)
            self._placed_at = blob_store.placed_at(sha256)
        except FileNotFoundError:
            raise DamagedContent(sha256, Damage.MISSING, None) from None
        if blob_store.opened_size(self.file) != size:
            self.file.close()
            raise self._damaged(Damage.SIZE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    def verified(self) -> Iterator[bytes]:
        """Yield all content in pieces. The last piece follows only if the digest is right.

        Raises:
            DamagedContent: the content was altered, or ended early.
        """
        digest, left = hashlib.sha256(), self._size
        for piece in self.part(0, self._size):
            digest.update(piece)
            left -= len(piece)
            if not left and digest.hexdigest() != self._sha256:
                raise self._damaged(Damage.CONTENT)
            yield piece

    def part(self, start: int, end: int) -> Iterator[bytes]:
        """Yield a part of the content in pieces, without its digest being verified.

        Raises:
            DamagedContent: the content ended early.
        """
        self.file.seek(start)
        left = end - start
        while left > 0:
            piece = self.file.read(min(left, blob_store.PIECE))
            if not piece:
                raise self._damaged(Damage.SIZE)
            left -= len(piece)
            yield piece

    def verify(self) -> None:
        """Read all content. Raises `DamagedContent`."""
        for _ in self.verified():
            pass

    def _damaged(self, damage: Damage) -> DamagedContent:
        return DamagedContent(self._sha256, damage, self._placed_at)
