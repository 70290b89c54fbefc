"""How `obeya serve` hears that it should stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

STOPPING = (signal.SIGINT, signal.SIGTERM)


def call_when_stopped(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGINT or SIGTERM, from a thread; to be called in the main thread.

    Processes made from now on block both from their first moment, so that none is lost before they
    listen themselves.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def wait() -> None:
        signal.sigwait(STOPPING)
        stop()

    threading.Thread(target=wait, daemon=True).start()
