"""What the tests of the package share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.commands import surroundings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel as it is built from the checkout."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT],
        check=True,
        capture_output=True,
    )
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory):
    """The data directory of a registry in which nothing happened yet, to be copied."""
    data = tmp_path_factory.mktemp("empty")
    data.chmod(0o700)
    subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate", "-v", "0"],
        check=True,
        env=surroundings(data),
        cwd=data,
    )
    return data


@pytest.fixture
def data(empty_registry, tmp_path):
    """A data directory for one test: a registry in which nothing happened yet."""
    return shutil.copytree(empty_registry, tmp_path / "data")
