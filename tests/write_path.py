"""The functions of the write path, found in its modules."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import boards.registry

# Helpers of writes: the transactions themselves, and what a caller's transaction reads.
NO_WRITES = {
    "boards.registry.commit.writing_model",
    "boards.registry.commit.writing_owner",
    "boards.registry.commit.writing_site",
    "boards.registry.commit.writing_new_or_present_model",
    "boards.registry.artifacts.artifacts.named_content",
    "boards.registry.idempotency.answer_once",
}


def write_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the name of every function with an `actor`, and the function."""
    for found in pkgutil.walk_packages(boards.registry.__path__, "boards.registry."):
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            address = f"{function.__module__}.{name}"
            if (
                function.__module__ == module.__name__
                and not name.startswith("_")
                and "actor" in inspect.signature(function).parameters
                and address not in NO_WRITES
            ):
                yield name, function
