"""A complete export, and an installation that is empty again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from boards import triggers
from boards.models import RegisteredModel
from boards.queries.snapshot import snapshot
from boards.queries.transfer.whole_export import NOUNS, documents
from obeya.transfer.whole_export import (
    ExportFile,
    Manifest,
    read_lines,
    write_lines,
    write_manifest,
)
from tests.append_only import drop_triggers


def export_to(folder: Path) -> Manifest:
    """Write what `obeya export` writes, without the contents of files."""
    folder.mkdir()
    files: dict[str, ExportFile] = {}
    with snapshot():
        for noun in NOUNS:
            files[noun.file] = write_lines(folder / noun.file, documents(noun))
    manifest = Manifest(files, 0, 0)
    write_manifest(folder, manifest)
    return manifest


def lines_of(folder: Path, manifest: Manifest) -> Callable[[str], Any]:
    """Return a function that reads an export as `obeya import` does."""
    return lambda name: read_lines(folder, name, manifest.files[name])


def content_of(folder: Path) -> dict[str, list[Any]]:
    """Return every document of an export, by file name."""
    return {
        path.name: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
    }


def empty() -> None:
    """Remove every row, the log's included, which only tests can."""
    drop_triggers(connection)
    try:
        RegisteredModel.objects.update(champion=None)
        for noun in reversed(NOUNS):
            rows = noun.model._default_manager.all()
            if noun.file == "accounts.jsonl":
                rows.model.groups.through.objects.all().delete()
            rows._raw_delete(rows.db)
    finally:
        triggers.install(connection)


@pytest.fixture(autouse=True)
def _real_transactions(transactional_db: None) -> None:
    """Use real transactions, because a snapshot needs a separate transaction."""
