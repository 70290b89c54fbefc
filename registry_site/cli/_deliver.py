"""The process that sends messages: by itself (`obeya worker`), or as a child of `obeya serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from registry_site.cli._signals import STOPPING

SECONDS_TO_FINISH = 6
SECONDS_UNTIL_AGAIN = 1.0


def deliver(site: str) -> None:
    """Send until SIGINT or SIGTERM; what takes longer than a few seconds then is left to others."""
    from boards.webhooks.worker import run

    stopping = threading.Event()
    worker = threading.Thread(target=run, kwargs={"site": site, "stopping": stopping}, daemon=True)
    # Threads made from now on block both, so that the wait below is what hears them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    worker.start()
    signal.sigwait(STOPPING)
    stopping.set()
    worker.join(SECONDS_TO_FINISH)
    # Threads that still wait for a receiver would keep the process; their leases run out.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class Supervisor:
    """Keeps one worker running beside the server, whatever ends it."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Start the worker, and a thread that starts it anew when it ends."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the worker finish what is under way."""
        self._stopping.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()

    def stop(self) -> None:
        """End the worker, by force after a few seconds."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(SECONDS_TO_FINISH + 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                if self._stopping.is_set():
                    return
                # The child reads from the pipe, which ends when this process does, however.
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "registry_site.cli._deliver", self._site],
                    stdin=subprocess.PIPE,
                )
            self._process.wait()
            self._stopping.wait(SECONDS_UNTIL_AGAIN)


def _end_with_parent() -> None:
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 4_096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _main() -> None:
    import django

    # First, so that no thread is there that a signal could come to instead.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    django.setup()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    deliver(sys.argv[1])


if __name__ == "__main__":
    _main()
