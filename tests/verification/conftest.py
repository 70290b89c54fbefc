"""A registry on which every write function was used, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.full_registry import calls_noted, fill_registry


@pytest.fixture(scope="module")
def full_registry(django_db_setup: Any, django_db_blocker: Any) -> Iterator[set[str]]:
    """Fill the registry, and return the names of the write functions that were called."""
    with django_db_blocker.unblock(), transaction.atomic():
        with calls_noted() as called:
            fill_registry()
        yield called
        transaction.set_rollback(True)
