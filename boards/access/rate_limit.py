"""The rate limit of the API and of the MLflow protocol: per token, or per address without one.

Each process counts in memory: a limit that is shared would cost a write for each request.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from django.conf import settings
from django.http import HttpRequest

from boards.access.client_address import address_block, client_address
from boards.models import ApiToken
from obeya.errors import TooManyRequests

BURST_SECONDS = 5
"""After a pause, a client can send a burst of up to this many seconds of requests."""

_BUCKETS_MAX = 10_000


class TokenBuckets:
    """One token bucket (https://en.wikipedia.org/wiki/Token_bucket) for each key.

    If there are more than `most` keys, the least recently used one is forgotten: its bucket is full
    again. Threads can share it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        # What was left in a bucket, and when.
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, *, rate: float, burst: float, now: float) -> float:
        """Take one token from the bucket of the key; it gets `rate` a second, up to `burst`.

        Returns 0, or the seconds until there is a token. `now` is in seconds, of any clock that
        never goes back.
        """
        with self._lock:
            left, then = self._left.get(key, (burst, now))
            left = min(burst, left + max(0.0, now - then) * rate)
            wait = 0.0 if left >= 1 else (1 - left) / rate
            self._left[key] = (left if wait else left - 1, max(now, then))
            self._left.move_to_end(key)
            if len(self._left) > self._most:
                self._left.popitem(last=False)
        return wait


# Separate, so that many addresses do not displace tokens.
_BY_TOKEN = TokenBuckets(_BUCKETS_MAX)
_BY_ADDRESS = TokenBuckets(_BUCKETS_MAX)


def limit_requests(request: HttpRequest, token: ApiToken | None) -> None:
    """Count a request of a valid token or, without one, of the client's address.

    Raises:
        TooManyRequests: more than `OBEYA_API_RATE` a second, on average over five seconds.
    """
    rate = settings.OBEYA_API_RATE
    if not rate:
        return
    buckets = _BY_TOKEN if token else _BY_ADDRESS
    key: Hashable = token.uid if token else address_block(client_address(request))
    wait = buckets.take(key, rate=rate, burst=rate * BURST_SECONDS, now=time.monotonic())
    if wait:
        seconds = math.ceil(wait)
        raise TooManyRequests(
            f"Too many requests: the limit is {rate:,} a second. Try again in {seconds} "
            f"second{'' if seconds == 1 else 's'}.",
            retry_after=seconds,
        )
