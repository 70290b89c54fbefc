"""Tables of many one-line checks as one test, which lists every failing entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

Case = Callable[[object], AbstractContextManager[None]]


@contextmanager
def every_case() -> Iterator[Case]:
    """Run each check within `case(name)`; at the end, fail with the names of the failing ones."""
    found: list[str] = []

    @contextmanager
    def case(name: object) -> Iterator[None]:
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - each is listed
            found.append(f"{str(name)[:120]}: {type(error).__name__}: {str(error)[:400]}")

    yield case
    if found:
        pytest.fail("\n".join(found), pytrace=False)
