"""Uploading, downloading and verifying files with the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.conf import settings
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.access.permissions import scopes_of
from boards.models import Blob, ModelVersion
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from obeya.cli import main

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def obeya(live_server: Any) -> Callable[..., Result]:
    at = timezone.now()
    user = create_user(username="alice", group="administrator", actor=SYSTEM, at=at)
    _, token = create_token(user=user, name="t", scopes=scopes_of(user), actor=SYSTEM, at=at)

    def run(*args: str) -> Result:
        env = {"OBEYA_URL": live_server.url, "OBEYA_TOKEN": token}
        return CliRunner().invoke(main, [*args], env=env)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model" / "data").mkdir(parents=True)
    (tmp_path / "model" / "MLmodel").write_text("flavors: {sklearn: {sklearn_version: 1.6}}")
    (tmp_path / "model" / "data" / "weights.bin").write_bytes(b"w" * 3_000_000)
    (tmp_path / "model" / "empty").touch()
    return tmp_path / "model"


def test_a_folder_is_uploaded_and_downloaded_unchanged(
    obeya: Any, folder: Path, tmp_path: Path
) -> None:
    made = obeya("register", "churn", "--metric", "auc=0.9", "--artifact", str(folder))
    assert made.exit_code == 0, made.output
    assert "churn v1: stored 3 files (3,000,042 bytes), sha256:" in made.output
    target = tmp_path / "fetched"
    fetched = obeya("download", str(target), "--model", "churn", "--version", "1")
    assert fetched.exit_code == 0, fetched.output
    found = {p.relative_to(target): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == {
        p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    again = obeya("download", str(target), "--model", "churn", "--version", "1")
    assert again.exit_code == 4
    assert "already" in again.output


def test_one_file_has_its_own_digest_and_is_stored_once(obeya: Any, folder: Path) -> None:
    weights = folder / "data" / "weights.bin"
    for _ in range(2):
        obeya("register", "churn")
    for number in "12":
        told = obeya("upload", str(weights), "--model", "churn", "--version", number, "--json")
        document = json.loads(told.stdout)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        assert document["digest"] == f"sha256:{digest}"
    assert Blob.objects.count() == 1


def test_a_file_altered_on_the_server_is_not_saved(
    obeya: Any, folder: Path, tmp_path: Path
) -> None:
    obeya("register", "churn", "--artifact", str(folder))
    digest = hashlib.sha256((folder / "data" / "weights.bin").read_bytes()).hexdigest()
    path = next(Path(settings.OBEYA_ARTIFACTS).rglob(digest))
    path.write_bytes(b"W" + path.read_bytes()[1:])
    fetched = obeya("download", str(tmp_path / "x"), "--model", "churn", "--version", "1")
    assert fetched.exit_code == 6
    assert f"(SHA-256 {digest}) was altered" in fetched.output
    assert not (tmp_path / "x").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_version_without_files_says_so(obeya: Any, tmp_path: Path) -> None:
    obeya("register", "churn")
    fetched = obeya("download", str(tmp_path / "x"), "--model", "churn", "--version", "1")
    assert fetched.exit_code == 3
    assert "not stored in the registry" in fetched.output


def test_nothing_is_registered_if_the_upload_fails(obeya: Any, tmp_path: Path) -> None:
    (tmp_path / "a;b").write_text("x")
    refused = obeya("register", "churn", "--artifact", str(tmp_path / "a;b"))
    assert refused.exit_code == 2
    assert not ModelVersion.objects.exists()
