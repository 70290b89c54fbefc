"""How `obeya serve` receives the signals to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

STOPPING = (signal.SIGINT, signal.SIGTERM)


def call_when_stopped(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGINT or SIGTERM, from a thread; call this in the main thread.

    Processes started from now on block both signals from the beginning, so that none is lost before
    they handle them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def wait() -> None:
        signal.sigwait(STOPPING)
        stop()

    threading.Thread(target=wait, daemon=True).start()
