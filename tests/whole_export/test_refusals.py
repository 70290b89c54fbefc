"""Refused imports: incomplete exports and non-empty installations. Nothing is changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, RegisteredModel, User
from boards.queries.transfer.whole_export import NOUNS, STAY
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from boards.registry.transfer.whole_import import NotEmpty, import_rows
from obeya.stages import Stage
from obeya.transfer.whole_export import BrokenExport, read_manifest, write_manifest
from tests.unreadable_texts import NESTED
from tests.whole_export.conftest import empty, export_to, lines_of
from tests.whole_export.test_round_trip import START

pytestmark = pytest.mark.both_engines

Edit = Callable[[list[dict[str, Any]]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write an export of a small registry, and empty the installation."""
    ada = create_user(username="ada", group="administrator", actor=SYSTEM, at=START)
    registry = DatabaseRegistry(actor=ada)
    registry.register_model("resnet50", metrics={"accuracy": 0.9}, description="Text")
    registry.transition_stage("resnet50", 1, Stage.STAGING, reason="Good")
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION, reason="Better")
    export_to(tmp_path / "export")
    empty()
    return tmp_path / "export"


def bring(folder: Path, **more: Any) -> None:
    import_rows(lines=lines_of(folder, read_manifest(folder)), **more)


def edit(folder: Path, name: str, change: Edit) -> None:
    """Alter a file and update the manifest, as a deliberate forger would."""
    rows = [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]
    change(rows)
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    (folder / name).write_bytes(content)
    document = json.loads((folder / "manifest.json").read_text("utf-8"))
    document["files"][name] = {
        "rows": len(rows),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / "manifest.json").write_text(json.dumps(document))


def set_member(member: str, value: object, row: int = 0) -> Edit:
    return lambda rows: rows[row].__setitem__(member, value)


_UNSUPPORTED = "does not support the permissions of ada. If they are right, .*--adopt-accounts"


def reword(rows: list[dict[str, Any]]) -> None:
    text = json.loads(rows[-1]["canonical_text"])
    text["to_stage"] = "archived"
    rows[-1]["canonical_text"] = json.dumps(text)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("events.jsonl", reword, "The imported audit log is not valid"),
        (
            "events.jsonl",
            set_member("canonical_text", NESTED),
            "The imported audit log is not valid",
        ),
        ("events.jsonl", lambda rows: rows.pop(2), "does not exist|is not valid"),
        (
            "events.jsonl",
            set_member("to_stage", "staging", -1),
            "The imported audit log is not valid",
        ),
        ("event_texts.jsonl", set_member("text", "Other"), "The imported audit log is not valid"),
        ("versions.jsonl", set_member("stage", "archived"), "The imported audit log is not valid"),
        ("models.jsonl", set_member("production_count", 7), "The imported audit log is not valid"),
        (
            "models.jsonl",
            set_member("chain_hash", "0" * 64),
            "The imported audit log is not valid",
        ),
        ("versions.jsonl", set_member("model", 4711), "refers to a row that does not exist"),
        ("models.jsonl", set_member("champion", 4711), "refers to a row that does not exist"),
        (
            "versions.jsonl",
            set_member("created_at", "yesterday"),
            "line 1: invalid value of created_at",
        ),
        ("versions.jsonl", set_member("number", "one"), "line 1: invalid value of number"),
        ("versions.jsonl", set_member("id", -1), "line 1: its id is invalid"),
        ("versions.jsonl", set_member("more", 1), "its members differ from the format"),
        ("versions.jsonl", lambda rows: rows[0].pop("label"), "its members differ from the format"),
        ("versions.jsonl", lambda rows: rows.append(rows[0]), "the database refused the row"),
        ("metrics.jsonl", set_member("value", None), "the database refused the row"),
        (
            "accounts.jsonl",
            set_member("groups", ["emperors"]),
            "unknown name in groups: 'emperors'",
        ),
        ("metrics.jsonl", set_member("value", 0.99), "metric accuracy is 0.99, but the log says"),
        *(
            ("accounts.jsonl", set_member(member, value), _UNSUPPORTED)
            for member, value in (
                ("is_superuser", False),
                ("is_staff", False),
                ("groups", ["administrator", "approver"]),
                ("user_permissions", ["boards.promote"]),
                ("uid", "0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77"),
            )
        ),
    ],
)
def test_a_falsified_export_is_refused(folder: Path, name: str, change: Edit, why: str) -> None:
    edit(folder, name, change)
    with pytest.raises(BrokenExport, match=why):
        bring(folder)
    assert not RegisteredModel.objects.exists()
    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has 0 lines instead of 1"),
        (b"{}", "line 1: it is not a complete JSON object"),
        (b"[]\n", "line 1: it is not a complete JSON object"),
        (b'{"a": \n', "line 1: it is not a complete JSON object"),
        (b"[" * 100_000 + b"\n", "line 1: it is not a complete JSON object"),
        (b"\xff\xfe\n", "line 1: it is not a complete JSON object"),
    ],
)
def test_a_file_that_was_cut_or_garbled_is_refused(folder: Path, content: bytes, why: str) -> None:
    (folder / "versions.jsonl").write_bytes(content)
    with pytest.raises(BrokenExport, match=why):
        bring(folder)
    assert not RegisteredModel.objects.exists()


def test_an_altered_byte_is_found_by_the_digest_of_the_file(folder: Path) -> None:
    path = folder / "model_tags.jsonl"
    metrics = folder / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes().replace(b"0.9", b"0.8"))
    with pytest.raises(BrokenExport, match=r"metrics.jsonl was changed"):
        bring(folder)
    path.unlink()
    with pytest.raises(BrokenExport, match=r"model_tags.jsonl cannot be read"):
        bring(folder)
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (None, "is not an export"),
        ("", "is not the manifest"),
        ("[]", "is not the manifest"),
        ("{}", "is not the manifest"),
        ('{"format": 3}', "has the format 3, but this version of Obeya reads 1 to 2"),
        ('{"format": 1}', "is not the manifest"),
        (
            '{"format": 1, "files": {"../x.jsonl": {"rows": 1, "sha256": "%s"}},'
            ' "blobs": {"count": 0, "bytes": 0}}' % ("0" * 64),
            "is not the manifest",
        ),
        ("[" * 100_000, "is not the manifest"),
    ],
)
def test_an_invalid_manifest_is_refused(tmp_path: Path, manifest: str | None, why: str) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(BrokenExport, match=why):
        read_manifest(tmp_path)


def test_an_installation_that_is_not_empty_is_unchanged(folder: Path) -> None:
    create_user(username="admin", group="administrator", actor=SYSTEM, at=START)
    with pytest.raises(NotEmpty, match="no server was ever started on"):
        bring(folder)
    assert User.objects.count() == 1


def test_unsupported_accounts_are_recorded_as_adopted_on_request(folder: Path) -> None:
    def add(rows: list[dict[str, Any]]) -> None:
        rows.append(
            rows[0] | {"id": 99, "uid": "0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77", "username": "shell"}
        )

    edit(folder, "accounts.jsonl", add)
    with pytest.raises(BrokenExport, match="does not support the permissions of shell"):
        bring(folder)
    bring(folder, adopt_at=START)
    assert verify_chains().rows == ()
    adopted = AuditEvent.objects.get(action="user.adopted")
    assert (adopted.channel, adopted.data["is_superuser"]) == ("import", True)


def test_a_dry_run_verifies_and_changes_nothing(folder: Path) -> None:
    bring(folder, dry_run=True)
    assert not RegisteredModel.objects.exists()
    edit(folder, "events.jsonl", reword)
    with pytest.raises(BrokenExport):
        bring(folder, dry_run=True)


def test_every_table_is_exported_or_excluded_with_a_reason() -> None:
    tables = {m for m in apps.get_app_config("boards").get_models() if not m._meta.proxy}
    exported = {noun.model for noun in NOUNS}
    assert exported | set(STAY) == tables
    assert not exported & set(STAY)
    left_out = {f"{noun.model.__name__}.{column}" for noun in NOUNS for column in noun.left_out}
    assert left_out == {
        "User.password",
        "User.last_login",
        # Files are inspected again after an import.
        "ModelVersion.artifact_code",
        "ModelVersion.artifact_inspector",
        "Blob.inspector",
        "Blob.findings_seal",
        # The import verifies the content.
        "Blob.damage",
        "Blob.damaged_at",
        # They are computed when a row is stored.
        "RegisteredModel.look_alike_key",
        "RegisteredModel.second_look_alike_key",
        "ModelVersion.look_alike_key",
        "ModelVersion.second_look_alike_key",
        # The log determines it.
        "ModelVersion.imported_unchecked",
    }


def test_a_manifest_is_read_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
