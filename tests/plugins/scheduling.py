"""Scheduling of tests that share an expensive server: one process runs them.

The groups of pytest-xdist (`--dist loadgroup`) have no effect with pytest 9.2, which stores the id
of a test elsewhere.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Folders and files whose tests share a server, or the import of MLflow.
TOGETHER = (
    "tests/migrations/test_upgrade.py",
    "tests/mlflow/",
    "tests/packaging/test_commands.py",
    "tests/packaging/test_file_commands.py",
    "tests/packaging/test_installation.py",
    "tests/packaging/test_wheel.py",
    "tests/packaging/test_whole_export.py",
    "tests/remote/test_operations.py",
)


class SharedServers(LoadScopeScheduling):
    """Assigns each of `TOGETHER` to one process, largest first, then the other tests."""

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedServers:
    """Use `SharedServers` if tests run in several processes."""
    return SharedServers(config, log)
