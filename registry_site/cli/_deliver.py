"""The processes that work in the background: a worker, and for `obeya serve` its keeper.

The keeper is a process and not a thread: the server forks its own processes at any time, and a fork
during another start would keep that start's pipes open.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from registry_site.cli._signals import STOPPING

SECONDS_TO_FINISH = 6
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_UNTIL_AGAIN = 1.0


def deliver(site: str, *, parent: int | None = None) -> None:
    """Send, and inspect files again after an upgrade, until SIGINT or SIGTERM.

    It also ends when the parent process changes (None: ignore the parent).

    An attempt that takes longer than a few seconds after that is left to other workers, when its
    lease expires.
    """
    from boards.registry.artifacts.inspection import keep_inspecting
    from boards.worker.worker import Worker

    worker, stopping = Worker(site=site), threading.Event()
    thread = threading.Thread(target=worker.run, daemon=True)
    inspecting = threading.Thread(target=keep_inspecting, args=[stopping], daemon=True)
    # Threads started from now on block both signals, so that the wait below receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    thread.start()
    inspecting.start()
    _wait_until_stopped(parent)
    stopping.set()
    worker.stop()
    thread.join(SECONDS_TO_FINISH)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that still wait for a receiver or read a file would keep the process running.
    os._exit(0)


class Keeper:
    """The process that keeps a worker running beside the server."""

    def __init__(self, site: str) -> None:
        """Start the process, before the server starts processes."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "registry_site.cli._deliver", "keep", site],
            stdin=subprocess.DEVNULL,
        )

    def ask_to_stop(self) -> None:
        """Stop the worker after the attempts in progress."""
        self._process.terminate()

    def stop(self) -> None:
        """Stop the process, by force after a few seconds."""
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_FINISH + 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _keep(site: str) -> None:
    """Run a worker, and another when it ends, until stopped or until the parent has ended."""
    parent, process = os.getppid(), _worker(site)
    while not _is_told(SECONDS_BETWEEN_LOOKS) and os.getppid() == parent:
        if process.poll() is not None:
            if _is_told(SECONDS_UNTIL_AGAIN):
                break
            process = _worker(site)
    process.terminate()
    process.wait()


def _worker(site: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "registry_site.cli._deliver", "work", site],
        stdin=subprocess.DEVNULL,
    )


def _wait_until_stopped(parent: int | None) -> None:
    while not _is_told(SECONDS_BETWEEN_LOOKS):
        if parent is not None and os.getppid() != parent:
            return


def _is_told(seconds: float) -> bool:
    return signal.sigtimedwait(STOPPING, seconds) is not None


def _main() -> None:
    deed, site = sys.argv[1:]
    parent = os.getppid()
    # First, so that no other thread exists that could receive a signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    if deed == "keep":
        _keep(site)
        return
    import django

    django.setup()
    deliver(site, parent=parent)


if __name__ == "__main__":
    _main()
