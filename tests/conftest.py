"""Fixtures and hooks for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.core.management.base import CommandError
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import OperationalError, connections
from django.test import TransactionTestCase

from boards import triggers
from scripts.find_chromium import NoChromium, find_chromium
from tests.append_only import drop_triggers

FLUSH_ATTEMPTS = 5
# A test that requests one of these fixtures uses the database, as does one marked `django_db`.
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the tests that use no database only once, on SQLite."""
    if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        return
    without = [item for item in items if not _uses_database(item)]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if _uses_database(item)]


def _uses_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db") or DATABASE_FIXTURES.intersection(fixtures))


def pytest_configure() -> None:
    """Use a fast password hasher: the tests create many accounts, and none is worth attacking."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A client that keeps its connection to the live server open also keeps a database connection
    # open, and PostgreSQL cannot drop a database that is in use.
    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
    # Each process has a separate folder for files, because tests count the files in it.
    folder = Path(settings.OBEYA_ARTIFACTS) / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    settings.OBEYA_ARTIFACTS, settings.OBEYA_INCOMING_DIR = str(folder), folder / "incoming"
    settings.STORAGES["artifacts"]["OPTIONS"]["location"] = str(folder)
    # A slow test on a busy machine is not a failure.
    hypothesis.settings.register_profile("unhurried", hypothesis.settings(), deadline=None)
    hypothesis.settings.load_profile("unhurried")
    # Otherwise every response of the live server waits 40 ms for a delayed acknowledgement.
    WSGIRequestHandler.disable_nagle_algorithm = True


@pytest.fixture(scope="session", autouse=True)
def _flush_passes_the_audit_log() -> Iterator[None]:
    """Let the flush after a test with real transactions empty the audit log.

    The triggers of the log refuse that, as they should. So they are dropped before the flush and
    created again after it.
    """
    teardown = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def without_triggers(case: TransactionTestCase) -> None:
        for connection in connections.all(initialized_only=True):
            drop_triggers(connection)
        try:
            teardown(case)
        finally:
            for connection in connections.all(initialized_only=True):
                triggers.install(connection)

    def flush(case: TransactionTestCase) -> None:
        for _ in range(FLUSH_ATTEMPTS - 1):
            try:
                return without_triggers(case)
            except (CommandError, OperationalError):
                # On PostgreSQL, a request of a disconnected client can still read: a deadlock.
                continue
        return without_triggers(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", flush)
        yield


@pytest.fixture(autouse=True)
def _no_files_of_other_tests() -> None:
    """Start each test without stored files."""
    shutil.rmtree(settings.OBEYA_ARTIFACTS, ignore_errors=True)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the Chromium installed on this machine, and stop it from contacting its vendor."""
    try:
        path = find_chromium()
    except NoChromium as error:
        pytest.fail(str(error), pytrace=False)
    arguments = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return {**browser_type_launch_args, "executable_path": path, "args": arguments}
