"""What each process of `obeya serve` runs: the site, for as long as its parent lives."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from registry_site.cli._signals import STOPPING
from registry_site.wsgi import application

__all__ = ["application"]

_SECONDS_TO_FINISH = 3


def _end_with_parent() -> None:
    """End when the parent was killed, so that the port is free for the next start."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_SECONDS_TO_FINISH)
    os._exit(1)


def _stop_when_told() -> None:
    """Do what the server does on SIGTERM, once, whichever thread the signal comes to.

    Python runs handlers in the main thread alone, and that waits for a lock: of the two signals
    within a moment that a Ctrl-C brings (the terminal's to all processes, the parent's to each) it
    may notice neither. So all threads block them and this one fetches what comes.
    """
    number = signal.sigwait({signal.SIGTERM})
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    else:
        # It does not serve yet.
        os._exit(0)


# The parent's handlers, where this process is a fork of it.
for _number in STOPPING:
    signal.signal(_number, signal.SIG_DFL)
# Threads inherit this. Nobody fetches SIGINT: the parent has it too and tells its workers.
signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
threading.Thread(target=_stop_when_told, daemon=True).start()
threading.Thread(target=_end_with_parent, daemon=True).start()
