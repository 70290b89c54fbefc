"""The contents of the wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# The wheel is built once.
@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_it_puts_nothing_but_its_packages_into_site_packages(names):
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "boards",
        "obeya",
        "registry_site",
    }


@pytest.mark.parametrize("directory", ["templates", "static", "registry_site/demo/data"])
def test_it_holds_every_file_that_is_not_code(names, directory):
    target = directory if directory.startswith("registry_site") else f"registry_site/{directory}"
    there = {
        f"{target}/{path.relative_to(ROOT / directory).as_posix()}"
        for path in (ROOT / directory).rglob("*")
        if path.is_file()
    }
    assert there
    assert there <= names


def test_it_holds_the_migrations_and_the_marker_of_types(names):
    assert "boards/migrations/0001_squashed_0013_delivery_leased.py" in names
    assert "obeya/py.typed" in names


def test_it_holds_the_licences(names):
    licences = {name.split("/licenses/")[1] for name in names if "/licenses/" in name}
    assert {"LICENSE", "static/vendor/LICENSE-htmx.txt"} <= licences
