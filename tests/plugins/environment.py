"""The environment of a test run, prepared before the settings are read.

Loaded with `-p` (see pyproject.toml), because pytest-django reads the settings before any conftest
is imported. The developer's own settings and data are not used: the data directory is a new
temporary directory. With OBEYA_TEST_DATABASE=postgresql, a PostgreSQL server is started in it; with
pytest-xdist, the controller does all this and its workers inherit it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.plugins.postgresql import running_postgresql

# Variables that the tests themselves read.
KEPT = {"OBEYA_TEST_ALL", "OBEYA_TEST_DATABASE", "OBEYA_CHROMIUM", "OBEYA_MLFLOW_PYTHON"}
ENGINES = ("sqlite", "postgresql")

_cleanup = ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Prepare the environment; a wrapper, so that it runs before pytest-django's own hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _prepare()
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stop the server and remove the directory."""
    _cleanup.close()


def pytest_report_header() -> str:
    """Return the line that names the database engine."""
    return f"database: {_engine()}"


def _engine() -> str:
    engine = os.environ.get("OBEYA_TEST_DATABASE") or "sqlite"
    if engine not in ENGINES:
        raise pytest.UsageError(
            f"OBEYA_TEST_DATABASE is {engine!r}; it has to be one of {', '.join(ENGINES)}."
        )
    return engine


def _prepare() -> None:
    for name in [*os.environ]:
        if (name.startswith("OBEYA_") and name not in KEPT) or name == "DATABASE_URL":
            del os.environ[name]

    # Also if the run is stopped before it begins and pytest_unconfigure is not called.
    atexit.register(_cleanup.close)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    directory = Path(tempfile.mkdtemp(prefix="obeya-test-"))
    _cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
    os.environ["OBEYA_DATA_DIR"] = str(directory / "data")
    # The limit is raised, not removed: tests send more requests than a client, and every request is
    # counted.
    os.environ["OBEYA_API_RATE"] = "100000"
    # Playwright's synchronous API keeps an event loop in the thread of the tests, so Django would
    # refuse every query as if it were made from a coroutine. There are no coroutines here.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    if _engine() == "postgresql":
        os.environ["DATABASE_URL"] = _cleanup.enter_context(running_postgresql(directory))
