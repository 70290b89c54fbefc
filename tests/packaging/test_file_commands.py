"""`obeya gc` and `obeya doctor --blobs` on an installation with stored files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.packaging.commands import run, run_code

FILL = """
import io
from datetime import timedelta
import django
django.setup()
from django.utils import timezone
from boards.access.actors import SYSTEM
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.catalog.registration import register_version
from obeya.records import VersionDraft
from obeya.artifacts.manifest import FileEntry
at = timezone.now()
create_user(username="ada", group="administrator", actor=SYSTEM, at=at)
def stored(content, at=at):
    return store_blob(
        body=io.BytesIO(content), size=len(content), actor=SYSTEM, at=at
    ).sha256
register_version(draft=VersionDraft("resnet50"), actor=SYSTEM, at=at)
entries = [FileEntry("w/a.bin", stored(b"kept")), FileEntry("b.bin", stored(b"other"))]
set_artifact(name="resnet50", version=1, files=entries, actor=SYSTEM, at=at)
stored(b"sent just now")
stored(b"never named", at - timedelta(days=2))
"""


@pytest.fixture(scope="module")
def filled(empty_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = Path(shutil.copytree(empty_registry, tmp_path_factory.mktemp("files") / "data"))
    run_code(data, FILL)
    return data


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "data"))


def content_of(data: Path, content: bytes) -> Path:
    digest = hashlib.sha256(content).hexdigest()
    return data / "artifacts" / "blobs" / digest[:2] / digest[2:4] / digest


def test_gc_lists_and_removes_only_on_request(data: Path) -> None:
    never = content_of(data, b"never named")
    stray = content_of(data, b"left by a killed server")
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"left by a killed server")
    old = time.time() - 2 * 24 * 3600
    os.utime(stray, (old, old))
    part = data / "artifacts" / "incoming" / "broken.part"
    part.write_bytes(b"broke off")
    os.utime(part, (old, old))

    listed = run(data, "gc")
    assert listed.returncode == 0, listed.stderr
    assert never.name in listed.stdout
    assert stray.name in listed.stdout
    assert "2 unused files (34 bytes). Run obeya gc --delete to remove them." in listed.stdout
    assert never.exists()
    assert part.exists()

    removed = run(data, "gc", "--delete", "--json")
    assert {(row["sha256"], row["removed"]) for row in json.loads(removed.stdout)} == {
        (never.name, True),
        (stray.name, True),
    }
    assert not never.exists()
    assert not stray.exists()
    assert not part.exists()
    for kept in (b"kept", b"other", b"sent just now"):
        assert content_of(data, kept).read_bytes() == kept
    assert "There is no unused content." in run(data, "gc").stdout


def test_doctor_reads_files_only_on_request_and_finds_them_intact(data: Path) -> None:
    whole = run(data, "doctor", "--blobs")
    assert whole.returncode == 0, whole.stdout
    assert "Read 4 stored files (33 bytes)." in whole.stdout
    content_of(data, b"kept").write_bytes(b"kepT")
    assert run(data, "doctor").returncode == 0


def test_doctor_names_altered_files_and_their_versions(data: Path) -> None:
    content_of(data, b"kept").write_bytes(b"kepT")
    found = run(data, "doctor", "--blobs")
    assert found.returncode == 1
    assert "was altered. Used by resnet50 v1: w/a.bin. Upload it again" in found.stdout


def test_doctor_names_missing_and_truncated_files(data: Path) -> None:
    content_of(data, b"kept").unlink()
    content_of(data, b"other").write_bytes(b"oth")
    found = run(data, "doctor", "--blobs", "--json")
    assert found.returncode == 1
    bad = [row["finding"] for row in json.loads(found.stdout) if not row["ok"]]
    assert any("is missing. Used by resnet50 v1: w/a.bin." in finding for finding in bad)
    assert any("has another size. Used by resnet50 v1: b.bin." in finding for finding in bad)


def test_inspect_reads_outdated_files_and_all_reads_all(data: Path) -> None:
    assert "Versions inspected: 0. Changed results: 0." in run(data, "inspect").stdout
    run_code(data, "import django; django.setup()\n" + OUTDATED)
    found = run(data, "inspect")
    assert found.returncode == 0, found.stderr
    assert "resnet50 v1: 0 warnings" in found.stdout
    assert "Versions inspected: 1. Changed results: 1." in found.stdout
    rows = json.loads(run(data, "inspect", "--all", "--json").stdout)
    assert rows == [{"model": "resnet50", "version": 1, "warnings": 0, "changed": False}]
    assert "every link is valid" in run(data, "audit", "verify").stdout


OUTDATED = """
from boards.models import ModelVersion
ModelVersion.objects.update(artifact_warnings=["a.bin is old."], artifact_inspector=0)
"""
