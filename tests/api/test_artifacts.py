"""Files over the API: deduplication, size limits, inspection, downloads and garbage collection."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.files import blob_store
from boards.models import ArtifactFile, AuditEvent, Blob, BlobUpload, ModelVersion, User
from boards.queries.verification.blob_verification import examined_blobs
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import (
    UNNAMED_FOR,
    collect_garbage,
    store_blob,
)
from boards.registry.database import DatabaseRegistry
from obeya.errors import InvalidInput, StorageFull
from obeya.records import Action
from obeya.stages import Stage
from obeya.tokens import Scope
from tests.api.conftest import Program
from tests.core.traversals import TRAVERSALS
from tests.model_files import safetensors

pytestmark = pytest.mark.django_db
VERSION = "/models/resnet50/versions/1"
CONTENT = b"0123456789" * 1_000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def version(api: Program) -> None:
    api.post("/models/resnet50/versions", {"metrics": {"accuracy": 0.9}})


def send(api: Program, content: bytes, stated: str = "") -> Any:
    return api.put(f"/blobs/{stated or sha256(content)}", content)


def store(api: Program, files: dict[str, bytes], **more: Any) -> Any:
    for content in files.values():
        assert send(api, content).status_code == 200
    listed = [{"path": path, "sha256": sha256(content)} for path, content in files.items()]
    return api.put(f"{VERSION}/artifact", {"files": listed, **more})


def stored_files() -> list[str]:
    """Return the names of all files under the artifact directory, partial uploads included."""
    root = Path(settings.OBEYA_ARTIFACTS)
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_a_folder_is_stored_listed_and_fetched(api: Program, version: None) -> None:
    files = {"model/weights.bin": CONTENT, "README": b"text"}
    answer = store(api, files)
    assert answer.status_code == 200
    told = api.get(f"{VERSION}/artifact").json()
    assert told == answer.json()
    assert [file["path"] for file in told["files"]] == ["README", "model/weights.bin"]
    assert told["size"] == len(CONTENT) + 4
    document = api.get(VERSION).json()
    assert document["artifact_digest"] == told["digest"]
    assert document["artifact_size"] == told["size"]
    for path, content in files.items():
        got = api.get(f"{VERSION}/artifact/files/{path}")
        assert b"".join(got.streaming_content) == content
        assert got["ETag"] == f'"{sha256(content)}"'
    event = AuditEvent.objects.get(action=Action.ARTIFACT_STORED)
    assert event.data["digest"] == told["digest"]


def test_the_same_content_is_stored_once(api: Program, version: None) -> None:
    store(api, {"a": CONTENT, "b": CONTENT})
    send(api, CONTENT)
    assert Blob.objects.count() == 1
    assert stored_files().count(sha256(CONTENT)) == 1
    assert ArtifactFile.objects.count() == 2


def test_storing_the_same_files_again_writes_nothing(api: Program, version: None) -> None:
    first = store(api, {"a": CONTENT})
    assert store(api, {"a": CONTENT}).json() == first.json()
    assert AuditEvent.objects.filter(action=Action.ARTIFACT_STORED).count() == 1


def test_content_with_another_digest_leaves_nothing(api: Program, version: None) -> None:
    answer = send(api, b"something else", sha256(CONTENT))
    assert answer.status_code == 422
    assert answer.json()["code"] == "digest_mismatch"
    assert not Blob.objects.exists()
    assert sha256(b"something else") not in stored_files()
    assert not any(name.endswith(".part") for name in stored_files())


def test_files_with_another_digest_than_stated_are_refused(api: Program, version: None) -> None:
    assert store(api, {"a": CONTENT}, digest="sha256:" + "a" * 64).status_code == 422
    api.post("/models/resnet50/versions", {"artifact_digest": "b" * 64})
    listed = {"files": [{"path": "a", "sha256": sha256(CONTENT)}]}
    assert api.put("/models/resnet50/versions/2/artifact", listed).status_code == 422
    assert not ArtifactFile.objects.exists()


@override_settings(OBEYA_UPLOAD_MAX_MIB=1)
def test_a_file_over_the_limit_is_refused_before_it_is_read(api: Program) -> None:
    answer = send(api, bytes(1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert not any(name.endswith(".part") for name in stored_files())


class EndlessBody:
    """A request body without an end and without a stated length."""

    def read(self, size: int, /) -> bytes:
        return bytes(size)


class DisconnectingBody:
    """A request body whose client disconnects."""

    def __init__(self) -> None:
        self.left = 3

    def read(self, size: int, /) -> bytes:
        self.left -= 1
        if not self.left:
            raise OSError("gone")
        return b"x" * 1_000


@override_settings(OBEYA_UPLOAD_MAX_MIB=1)
@pytest.mark.parametrize(("body", "size"), [(EndlessBody(), None), (DisconnectingBody(), 5_000)])
def test_a_failed_upload_leaves_no_files(db: None, body: Any, size: int | None) -> None:
    before = stored_files()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, nothing may stay
        store_blob(body=body, size=size, actor=SYSTEM, at=timezone.now())
    assert stored_files() == before
    assert not Blob.objects.exists()


def test_a_body_shorter_than_announced_is_refused(db: None) -> None:
    before = stored_files()
    with pytest.raises(InvalidInput, match="Received 3 of 5 bytes"):
        store_blob(body=io.BytesIO(b"abc"), size=5, actor=SYSTEM, at=timezone.now())
    assert stored_files() == before


def test_a_full_disk_is_reported(api: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    full = type("Usage", (), {"free": 10})
    monkeypatch.setattr(blob_store.shutil, "disk_usage", lambda _: full)
    answer = send(api, CONTENT)
    assert (answer.status_code, answer.json()["code"]) == (507, StorageFull.code)
    assert not Blob.objects.exists()


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_escapes_the_artifact_folder(
    api: Program, version: None, path: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    canary.write_text("secret")
    send(api, CONTENT)
    body = {"files": [{"path": path, "sha256": sha256(CONTENT)}]}
    assert api.put(f"{VERSION}/artifact", body).status_code in (400, 422)
    escaped = quote(path.encode("utf-8", "surrogatepass"), safe="/")
    got = api.get(f"{VERSION}/artifact/files/{escaped}")
    assert got.status_code in (400, 404)
    assert canary.read_text() == "secret"
    assert not ArtifactFile.objects.exists()


def test_ranges_are_served_and_known_content_is_not_sent(api: Program, version: None) -> None:
    store(api, {"a": CONTENT})
    address = f"{VERSION}/artifact/files/a"
    for asked, expected, told in (
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/10000"),
        ("bytes=9990-", CONTENT[-10:], "bytes 9990-9999/10000"),
        ("bytes=-5", CONTENT[-5:], "bytes 9995-9999/10000"),
        ("bytes=9998-20000", CONTENT[-2:], "bytes 9998-9999/10000"),
    ):
        part = api.get(address, Range=asked)
        assert part.status_code == 206
        assert b"".join(part.streaming_content) == expected
        assert part["Content-Range"] == told
    assert api.get(address, Range="bytes=10000-").status_code == 416
    whole = api.get(address, Range="bytes=0-1,5-6")
    assert whole.status_code == 200
    assert b"".join(whole.streaming_content) == CONTENT
    assert api.get(address, If_None_Match=f'"{sha256(CONTENT)}"').status_code == 304


def test_a_download_is_never_displayed_by_a_browser(api: Program, version: None) -> None:
    name = "évil' onload=alert(1).html"
    assert store(api, {name: b"<script>alert(1)</script>"}).status_code == 200
    got = api.get(f"{VERSION}/artifact/files/{quote(name)}")
    assert b"".join(got.streaming_content)
    assert got["Content-Type"] == "application/octet-stream"
    assert got["Content-Disposition"].startswith(
        'attachment; filename="_vil__onload_alert_1_.html"'
    )
    assert got["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got["Content-Security-Policy"]


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, (str(Path(settings.OBEYA_DATA_DIR) / "bomb"),)


def test_a_policy_checks_the_content_of_files(api: Program, version: None) -> None:
    rules = [{"no_pickle": True}, {"artifact_max_mib": 0.001}, {"artifact_digest": True}]
    api.put("/policies/staging", {"requirements": rules})
    store(api, {"model.safetensors": pickle.dumps(Bomb())})
    assert "contains a pickle" in api.get(VERSION).json()["artifact_warnings"][0]
    refused = api.post(f"{VERSION}/transitions", {"to_stage": "staging"})
    assert refused.status_code == 422
    assert "os" in refused.json()["detail"] or "posix" in refused.json()["detail"]
    assert not (Path(settings.OBEYA_DATA_DIR) / "bomb").exists()
    store(api, {"model.txt": b"x" * 2_000})
    refused = api.post(f"{VERSION}/transitions", {"to_stage": "staging"})
    assert "2,000 bytes; allowed: 0.001 MiB" in refused.json()["detail"]
    store(api, {"model.safetensors": bytes(200)})
    refused = api.post(f"{VERSION}/transitions", {"to_stage": "staging"})
    assert "could not be inspected: its format is not recognised" in refused.json()["detail"]
    store(api, {"model.safetensors": safetensors()})
    assert api.post(f"{VERSION}/transitions", {"to_stage": "staging"}).status_code == 201


class Canary:
    """An object that creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self._canary,)


@pytest.mark.parametrize("path", ["model.pkl", "weights.safetensors", "README.md", "image.png"])
def test_no_upload_executes_a_pickle_and_each_detects_it_under_any_name(
    api: Program, version: None, client: Client, alice: User, tmp_path: Path, path: str
) -> None:
    canary = tmp_path / "ran"
    bomb = pickle.dumps(Canary(canary))
    store(api, {path: bomb})
    by_mlflow = {"data": bomb, "content_type": "application/octet-stream"}
    root = "/api/2.0/mlflow-artifacts/artifacts"
    bearer = {"Authorization": f"Bearer {api.token}"}
    assert client.put(f"{root}/run/{path}", headers=bearer, **by_mlflow).status_code == 200
    assert client.get(f"{root}?path=run", headers=bearer).status_code == 200
    assert b"".join(client.get(f"{root}/run/{path}", headers=bearer).streaming_content) == bomb

    told = api.get(f"{VERSION}/artifact").json()
    (warning,) = told["warnings"]
    assert warning.startswith(f"{path} contains a pickle, which runs code when loaded")
    assert b"".join(api.get(f"{VERSION}/artifact/files/{path}").streaming_content) == bomb
    client.force_login(alice, "django.contrib.auth.backends.ModelBackend")
    page = client.get("/models/resnet50/versions/1/").content.decode()
    assert "contains a pickle" in page
    assert "safe" not in page.lower().replace("safetensors", "")
    assert [blob.fault for blob in examined_blobs()] == [""]
    collect_garbage(at=timezone.now() + 2 * UNNAMED_FOR, remove=True)
    assert not canary.exists()


def test_files_cannot_change_after_the_version_left_development(
    api: Program, version: None
) -> None:
    store(api, {"a": CONTENT})
    api.post(f"{VERSION}/transitions", {"to_stage": "staging"})
    assert store(api, {"a": b"other"}).status_code == 409
    assert api.get(f"{VERSION}/artifact").json()["files"][0]["sha256"] == sha256(CONTENT)


def test_a_stored_file_is_part_of_the_evidence_of_an_approval(api: Program, version: None) -> None:
    api.put("/policies/staging", {"requirements": [], "required_approvals": 1})
    made = api.post(f"{VERSION}/requests", {"to_stage": "staging"})
    assert made.status_code == 201, made.content
    before = DatabaseRegistry(actor=User.objects.get(username="alice"))
    old = before.get_requests("resnet50")[0].evidence_digest
    store(api, {"a": CONTENT})
    assert before.get_requests("resnet50")[0].evidence_digest != old


def test_content_of_others_cannot_be_claimed_by_its_digest(
    api: Program, version: None, alice: User
) -> None:
    store(api, {"a": CONTENT})
    carol = create_user(username="carol", group="contributor", actor=SYSTEM, at=timezone.now())
    _, token = create_token(
        user=carol,
        name="a test",
        scopes=[Scope.READ, Scope.WRITE],
        model_globs=["other*"],
        actor=SYSTEM,
        at=timezone.now(),
    )
    other = Program(token)
    assert other.get(f"/blobs/{sha256(CONTENT)}").status_code == 404
    assert other.post("/models/other/versions", {}).status_code == 201
    listed = {"files": [{"path": "a", "sha256": sha256(CONTENT)}]}
    taken = other.put("/models/other/versions/1/artifact", listed)
    assert (taken.status_code, taken.json()["what"]) == (404, "blob")
    assert other.get(f"{VERSION}/artifact/files/a").status_code == 403
    assert send(other, CONTENT).status_code == 200
    assert other.put("/models/other/versions/1/artifact", listed).status_code == 200


def test_a_viewer_cannot_upload(api: Program, victor: User) -> None:
    _, token = create_token(
        user=victor, name="v", scopes=[Scope.READ], actor=SYSTEM, at=timezone.now()
    )
    assert send(Program(token), CONTENT).status_code == 403
    assert not Blob.objects.exists()


def test_unreferenced_content_is_collected_after_a_day(api: Program, version: None) -> None:
    store(api, {"a": CONTENT})
    send(api, b"never named")
    now = timezone.now()
    later = now + UNNAMED_FOR + UNNAMED_FOR
    assert collect_garbage(at=now, remove=True) == []
    listed = [(sha256(b"never named"), 11)]
    assert collect_garbage(at=later, remove=False) == listed
    assert Blob.objects.count() == 2
    assert collect_garbage(at=later, remove=True) == listed
    assert Blob.objects.get().sha256 == sha256(CONTENT)
    assert not BlobUpload.objects.filter(blob__sha256=sha256(b"never named")).exists()
    assert sha256(b"never named") not in stored_files()


def test_content_that_a_killed_server_left_without_a_row_is_collected(
    api: Program, version: None
) -> None:
    store(api, {"a": CONTENT})
    send(api, b"its row was never made")
    stray = sha256(b"its row was never made")
    BlobUpload.objects.filter(blob__sha256=stray).delete()
    Blob.objects.filter(sha256=stray).delete()
    now = timezone.now()
    later = now + 2 * UNNAMED_FOR
    assert collect_garbage(at=now, remove=True) == []
    assert collect_garbage(at=later, remove=False) == [(stray, 22)]
    assert stray in stored_files()
    assert collect_garbage(at=later, remove=True) == [(stray, 22)]
    assert stored_files() == [sha256(CONTENT)]
    assert Blob.objects.count() == 1
    assert send(api, b"its row was never made").status_code == 200


def test_a_flipped_byte_is_found(api: Program, version: None) -> None:
    store(api, {"a": CONTENT, "b": b"other"})
    assert [blob.fault for blob in examined_blobs()] == ["", ""]
    path = next(p for p in Path(settings.OBEYA_ARTIFACTS).rglob(sha256(CONTENT)))
    path.write_bytes(CONTENT[:-1] + b"X")
    faults = [blob.fault for blob in examined_blobs() if blob.fault]
    assert len(faults) == 1
    assert "was altered. Used by resnet50 v1: a." in faults[0]
    path.unlink()
    assert any("is missing" in blob.fault for blob in examined_blobs())


def test_versions_without_files_say_so(api: Program, version: None) -> None:
    told = api.get(f"{VERSION}/artifact").json()
    assert told == {"digest": "", "size": None, "warnings": [], "files": []}
    assert ModelVersion.objects.get().stage == Stage.DEVELOPMENT
