"""`obeya export DIR` and `obeya import obeya DIR` as commands, and between the engines."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.commands import run, run_code
from tests.packaging.test_file_commands import content_of
from tests.plugins.postgresql import running_postgresql

FILL = """
import io
from datetime import datetime, timedelta, UTC
import django
django.setup()
from boards.access.actors import SYSTEM
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.database import DatabaseRegistry
from obeya import Stage, PromotionPolicy, Comparison
from obeya.artifacts.manifest import FileEntry
start = datetime(2026, 1, 5, 9, tzinfo=UTC)
create_user(username="ada", group="administrator", password="a long enough one",
                     actor=SYSTEM, at=start)
from boards.models import User
hours = iter(range(1, 10_000))
ada = DatabaseRegistry(actor=User.objects.get(), clock=lambda: start + timedelta(hours=next(hours)))
ada.set_policy(PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.5))
for name in ("resnet50", "模型 ü", "bert"):
    for number in range(1, 13):
        ada.register_model(name, None, {"accuracy": number / 13, "größe": 1e22}, description="✓")
        if number == 1:
            content = name.encode()
            blob = store_blob(body=io.BytesIO(content), size=len(content), actor=SYSTEM,
                                       at=start)
            set_artifact(name=name, version=1, files=[FileEntry("a.bin", blob.sha256)],
                                  actor=SYSTEM, at=start)
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            try:
                ada.transition_stage(name, number, stage, archive_existing=True)
            except Exception:
                pass
ada.rollback("resnet50", reason="Worse")
ada.delete_version("bert", 2)
ada.rename_model("bert", "bert-base")
"""
BOARDS = """
import json
from datetime import datetime, UTC
import django
django.setup()
from boards.queries.audit.as_of import board_as_of
from boards.queries.search.board_filter import BoardFilter
print(json.dumps([
    repr(board_as_of(datetime(2026, 1, day, 12, tzinfo=UTC), BoardFilter()))
    for day in (5, 6, 7, 8, 9, 28)
]))
"""


@pytest.fixture(scope="module")
def filled(empty_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = Path(shutil.copytree(empty_registry, tmp_path_factory.mktemp("whole") / "data"))
    run_code(data, FILL)
    return data


@pytest.fixture
def postgresql() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="obeya-test-") as folder,
        running_postgresql(Path(folder)) as url,
    ):
        yield url


def content(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {
        path.name: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in folder.glob("*.jsonl")
    }
    found["blobs"] = {path.name: path.read_bytes() for path in folder.glob("blobs/*/*/*")}
    return found


def test_an_installation_is_copied_to_postgresql_and_back(
    filled: Path, postgresql: str, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    there, back = tmp_path / "there", tmp_path / "back"
    boards = run_code(filled, BOARDS)
    assert "resnet50" in boards

    exported = run(filled, "export", str(first))
    assert exported.returncode == 0, exported.stderr
    assert "3 models, 36 versions" in exported.stdout
    place = ("--data-dir", str(there), "--database-url", postgresql)
    imported = run(filled, "import", "obeya", str(first), *place)
    assert imported.returncode == 0, imported.stderr
    verified = run(filled, "audit", "verify", *place)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "every link is valid" in verified.stdout
    assert run(filled, "doctor", "--blobs", *place).returncode == 0
    assert run_code(there, BOARDS, DATABASE_URL=postgresql) == boards

    assert run(filled, "export", "--json", str(second), *place).returncode == 0
    assert content(second) == content(first)
    home = ("--data-dir", str(back))
    assert run(filled, "import", "obeya", str(second), *home).returncode == 0
    assert run(filled, "export", str(third), *home).returncode == 0
    assert content(third) == content(first)
    assert run_code(back, BOARDS) == boards
    assert b"password" not in b"".join(path.read_bytes() for path in first.glob("acc*.jsonl"))
    link = run(filled, "user", "link", "ada", *home)
    assert link.returncode == 0, link.stderr


@pytest.mark.release
def test_refused_exports_and_imports_say_why_and_leave_nothing(
    filled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(filled, "export", str(out)).returncode == 0
    again = run(filled, "export", str(out))
    assert (again.returncode, "already exists and is not" in again.stderr) == (1, True)
    full = run(filled, "import", "obeya", str(out))
    assert full.returncode == 1
    assert "The installation is not empty" in full.stderr

    trial = run(
        filled, "import", "obeya", str(out), "--data-dir", str(tmp_path / "new"), "--dry-run"
    )
    assert trial.returncode == 0, trial.stderr
    assert trial.stdout.startswith("Verified")
    blob = next(out.glob("blobs/*/*/*"))
    blob.write_bytes(blob.read_bytes()[::-1])
    altered = run(filled, "import", "obeya", str(out), "--data-dir", str(tmp_path / "new"))
    assert altered.returncode == 1
    assert "was changed" in altered.stderr
    assert "Nothing was imported." in altered.stderr
    assert list((tmp_path / "new" / "artifacts").rglob("*.part")) == []
    assert [path for path in (tmp_path / "new" / "artifacts").rglob("*") if path.is_file()] == []
    blob.unlink()
    missing = run(filled, "import", "obeya", str(out), "--data-dir", str(tmp_path / "new"))
    assert "is missing in blobs" in missing.stderr
    nothing = run(filled, "import", "obeya", str(tmp_path), "--data-dir", str(tmp_path / "other"))
    assert (nothing.returncode, "is not an export" in nothing.stderr) == (1, True)
    assert not (tmp_path / "other").exists()


@pytest.mark.release
def test_missing_content_ends_the_export_and_leaves_no_partial_file(
    filled: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    out = tmp_path / "out"
    assert run(filled, "export", str(out)).returncode == 0
    assert run(filled, "import", "obeya", str(out), "--data-dir", str(data)).returncode == 0
    content_of(data, b"resnet50").unlink()
    gone = run(filled, "export", str(tmp_path / "half"), "--data-dir", str(data))
    assert gone.returncode == 1
    assert "obeya doctor --blobs" in gone.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


def test_versions_are_exported_as_before(filled: Path) -> None:
    told = run(filled, "export", "--help")
    assert "obeya export DIRECTORY" in told.stdout
    for form in ("csv", "jsonl"):
        assert "--filter" in run(filled, "export", form, "--help").stdout
        away = run(filled, "export", "--url", "http://127.0.0.1:9", form)
        assert away.returncode == 6, away.stderr


@pytest.mark.release
def test_a_failed_import_removes_nothing_from_a_shared_store(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(filled, "export", str(out)).returncode == 0
    texts = out / "event_texts.jsonl"
    texts.write_bytes(texts.read_bytes().replace(b"Worse", b"Worst"))
    failed = run(
        tmp_path,
        *("import", "obeya", str(out)),
        OBEYA_DATA_DIR=str(tmp_path / "new"),
        OBEYA_ARTIFACTS=str(filled / "artifacts"),
    )
    assert failed.returncode == 1
    assert "event_texts.jsonl was changed" in failed.stderr
    assert run(filled, "doctor", "--blobs").returncode == 0
    assert content_of(filled, b"resnet50").read_bytes() == b"resnet50"


def test_a_model_can_have_the_name_of_a_form(filled: Path) -> None:
    away = run(filled, "export", "jsonl", "--model", "csv", "--url", "http://127.0.0.1:9")
    assert away.returncode == 6, away.stderr


@pytest.mark.release
def test_a_link_that_leads_out_of_an_export_is_refused(filled: Path, tmp_path: Path) -> None:
    out, secret = tmp_path / "out", tmp_path / "secret"
    assert run(filled, "export", str(out)).returncode == 0
    secret.write_bytes((out / "metrics.jsonl").read_bytes())
    (out / "metrics.jsonl").unlink()
    (out / "metrics.jsonl").symlink_to(secret)
    refused = run(filled, "import", "obeya", str(out), "--data-dir", str(tmp_path / "new"))
    assert refused.returncode == 1
    assert "leads outside the export" in refused.stderr
