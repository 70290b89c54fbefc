"""The number of examples for tests with generated input."""

from __future__ import annotations

import os

IS_RELEASE = bool(os.environ.get("OBEYA_TEST_ALL"))


def examples(count: int) -> int:
    """Return `count` in `make test-all`, and a quarter of it in `make test`."""
    return count if IS_RELEASE else max(1, count // 4)
