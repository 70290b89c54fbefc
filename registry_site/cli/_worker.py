"""The application of each process of `obeya serve`, as long as its parent is running."""

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
    """End if the parent was killed, so that the port is free for the next start."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_SECONDS_TO_FINISH)
    os._exit(1)


def _stop_when_told() -> None:
    """Do what the server does on SIGTERM, once, whichever thread receives the signal.

    Python runs handlers in the main thread only, which waits for a lock: of the two signals that
    Ctrl-C causes within a moment (the terminal's to all processes, the parent's to each) it may
    notice neither. So all threads block them and this one waits for them.
    """
    number = signal.sigwait({signal.SIGTERM})
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    else:
        # The server is not running yet.
        os._exit(0)


# Reset the parent's handlers, if this process is a fork of it.
for _number in STOPPING:
    signal.signal(_number, signal.SIG_DFL)
# Threads inherit this. SIGINT is never received: the parent gets it too and stops its workers.
signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
threading.Thread(target=_stop_when_told, daemon=True).start()
threading.Thread(target=_end_with_parent, daemon=True).start()
