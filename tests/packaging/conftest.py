"""Fixtures for the tests of the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.commands import process_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Build the wheel from the checkout."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT],
        check=True,
        capture_output=True,
    )
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory):
    """Return the data directory of an empty registry, to copy."""
    data = tmp_path_factory.mktemp("empty")
    data.chmod(0o700)
    subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate", "-v", "0"],
        check=True,
        env=process_environment(data),
        cwd=data,
    )
    return data


@pytest.fixture
def data(empty_registry, tmp_path):
    """Return a data directory for one test, with an empty registry."""
    return shutil.copytree(empty_registry, tmp_path / "data")
