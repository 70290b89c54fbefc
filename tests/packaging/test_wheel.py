"""The contents of the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.commands import process_environment

ROOT = Path(__file__).parents[2]
# Prints where the documents are, and the titles of three pages.
SHOW_PAGES = """
import re, django
django.setup()
from django.conf import settings
from django.test import Client
print(settings.OBEYA_DOCUMENTS_DIR)
for path in ("", "settings/", "examples/check_promotion/", "demo-data/"):
    page = Client(SERVER_NAME="localhost").get(f"/docs/{path}").content.decode()
    print(re.search("<title>(.*)</title>", page)[1])
"""


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
def test_it_contains_every_file_that_is_not_code(names, directory):
    target = directory if directory.startswith("registry_site") else f"registry_site/{directory}"
    there = {
        f"{target}/{path.relative_to(ROOT / directory).as_posix()}"
        for path in (ROOT / directory).rglob("*")
        if path.is_file()
    }
    assert there
    assert there <= names


def test_it_contains_the_documents(names):
    beside = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
    paths = [
        *(ROOT / name for name in beside),
        *(path for path in (ROOT / "docs").rglob("*") if path.is_file()),
        *(ROOT / "examples").glob("*.py"),
    ]
    documents = {f"registry_site/documents/{path.relative_to(ROOT).as_posix()}" for path in paths}
    assert {name for name in names if name.startswith("registry_site/documents/")} == documents


def test_it_serves_its_documents(wheel, data, tmp_path):
    packages = tmp_path / "packages"
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(packages)
    shown = subprocess.run(
        [sys.executable, "-P", "-c", SHOW_PAGES],
        env=process_environment(data)
        | {"PYTHONPATH": str(packages), "DJANGO_SETTINGS_MODULE": "registry_site.settings"},
        cwd=data,
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.splitlines() == [
        f"{packages}/registry_site/documents",
        "Documentation – Obeya",
        "Settings – Obeya",
        "check_promotion.py – Obeya",
        "Demo data: timm-versions.csv – Obeya",
    ]


def test_it_contains_the_migrations_and_the_type_marker(names):
    assert "boards/migrations/0001_squashed_0013_delivery_leased.py" in names
    assert "obeya/py.typed" in names


def test_it_contains_the_licences(names):
    licences = {name.split("/licenses/")[1] for name in names if "/licenses/" in name}
    assert {"LICENSE", "static/vendor/LICENSE-htmx.txt"} <= licences
