"""Write something after the answer, so that it neither delays nor fails the request."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest

logger = logging.getLogger(__name__)


def after_answer(request: HttpRequest, write: Callable[[], object]) -> None:
    """Call `write` once the answer to the request was sent, in the same thread.

    An error is logged. The server closes each response after it was sent, also if the client
    disconnected, and Django then closes the request.
    """
    close = request.close

    def close_and_write() -> None:
        close()
        try:
            write()
        except Exception:
            logger.exception("Work after the answer failed.")

    request.close = close_and_write  # type: ignore[method-assign]
