"""Third-party files in static/vendor match vendor.json."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[2] / "static" / "vendor"
ENTRIES = json.loads((VENDOR / "vendor.json").read_text())
FIELDS = {
    "name",
    "version",
    "licence",
    "file",
    "sha256",
    "licence_file",
    "package",
    "upstream_path",
}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_file_is_the_one_that_is_listed(entry: dict[str, str]) -> None:
    assert set(entry) == FIELDS
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert entry["package"].endswith(f"@{entry['version']}")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_licence_lies_beside_the_file(entry: dict[str, str]) -> None:
    assert (VENDOR / entry["licence_file"]).read_text().strip()


def test_every_file_is_listed() -> None:
    listed = {entry[field] for entry in ENTRIES for field in ("file", "licence_file")}
    assert {path.name for path in VENDOR.iterdir()} == listed | {"vendor.json"}
