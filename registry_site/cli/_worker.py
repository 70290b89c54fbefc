"""What each process of `obeya serve` runs: the site, for as long as its parent lives."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

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


threading.Thread(target=_end_with_parent, daemon=True).start()
