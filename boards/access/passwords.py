"""Password hashes, of which a process computes one at a time, with a low priority.

A hash takes a third of a second of one core on purpose. Without a bound, sign-ins would occupy all
threads and cores that the API and the pages need. bench/sign_ins.py measures this.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import BoundedSemaphore, get_native_id, local

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import transaction

from obeya.errors import TooManyRequests

RUNNING_MAX = 1
# Each waiting request holds one of the eight threads of the process.
WAITING_MAX = 2
WAIT_SECONDS = 3.0
_NICE = 10


class HashingSlots:
    """Limits how many threads compute a hash, and how many wait."""

    def __init__(self, running: int, waiting: int, seconds: float) -> None:
        self._seconds = seconds
        self._running = BoundedSemaphore(running)
        self._admitted = BoundedSemaphore(running + waiting)
        self._of_thread = local()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot, and hold it inside. A thread that already has one uses it.

        Raises:
            TooManyRequests: too many threads wait already, or no slot became free in time.
        """
        if getattr(self._of_thread, "has_slot", False):
            yield
            return
        if not self._admitted.acquire(blocking=False):
            raise self._busy()
        try:
            # An open transaction can hold the lock of all writers, so it never waits.
            seconds = 0.0 if transaction.get_connection().in_atomic_block else self._seconds
            if not self._running.acquire(timeout=seconds):
                raise self._busy()
            self._of_thread.has_slot = True
            try:
                yield
            finally:
                self._of_thread.has_slot = False
                self._running.release()
        finally:
            self._admitted.release()

    def _busy(self) -> TooManyRequests:
        return TooManyRequests(
            "Too many passwords are being checked now. Try again in a few seconds.",
            retry_after=max(1, round(self._seconds)),
        )


_SLOTS = HashingSlots(RUNNING_MAX, WAITING_MAX, WAIT_SECONDS)


def hashing_slot() -> AbstractContextManager[None]:
    """Wait for a slot to compute hashes, and hold it inside. Raises `TooManyRequests`."""
    return _SLOTS.slot()


def _lower_priority() -> None:
    # Only Linux has a priority for each thread.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)


# Starts its thread with the first hash.
_HASHING = ThreadPoolExecutor(RUNNING_MAX, "passwords", _lower_priority)


class BoundedPasswordHasher(PBKDF2PasswordHasher):
    """Django's default hash. Checking a password computes it too."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return the hash, with its parameters. Raises `TooManyRequests`."""
        with hashing_slot():
            return _HASHING.submit(super().encode, password, salt, iterations).result()
