"""Stored content that no longer has its digest: no read passes it on as intact."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.files import blob_store
from boards.models import Blob, RegisteredModel, User
from boards.registry.artifacts.artifacts import store_blob
from boards.registry.artifacts.inspection import forget_inspections, inspect_version
from obeya.errors import DamagedFile
from registry_site.cli.doctor import doctor
from tests.api.conftest import Program
from tests.offenders import every_case

pytestmark = pytest.mark.django_db
VERSION = "/models/resnet50/versions/1"
SMALL = b"0123456789" * 10
# Two whole pieces and a part.
LARGE = b"0123456789abcdef" * 131_072 + b"end"
Get = Callable[..., Any]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def place_of(content: bytes) -> Path:
    return Path(storages["artifacts"].path(blob_store._name(sha256(content))))


def damage(content: bytes, how: str) -> None:
    """Damage stored content: ``missing``, ``size`` or ``content``."""
    place = place_of(content)
    if how == "missing":
        place.unlink()
    else:
        place.write_bytes(content[:-1] + (b"" if how == "size" else b"X"))


def mark_of(content: bytes) -> str:
    return Blob.objects.get(sha256=sha256(content)).damage


def repair(content: bytes) -> None:
    body = io.BytesIO(content)
    store_blob(body=body, size=len(content), actor=SYSTEM, at=timezone.now())


@pytest.fixture
def routes(api: Program, alice: User) -> dict[str, Get]:
    """Store both contents for a version and for a run; return the reads of a content, by route."""
    api.post("/models/resnet50/versions", {})
    files = {"small": SMALL, "large": LARGE}
    for content in files.values():
        assert api.put(f"/blobs/{sha256(content)}", content).status_code == 200
    listed = [{"path": path, "sha256": sha256(content)} for path, content in files.items()]
    assert api.put(f"{VERSION}/artifact", {"files": listed}).status_code == 200
    model = RegisteredModel.objects.get().uid

    browser = Client()
    browser.force_login(alice, "django.contrib.auth.backends.ModelBackend")
    client = Client(headers={"Authorization": f"Bearer {api.token}"})
    artifacts = "/api/2.0/mlflow-artifacts/artifacts"
    for path, content in files.items():
        stored = client.put(
            f"{artifacts}/run/{path}", content, content_type="application/octet-stream"
        )
        assert stored.status_code == 200

    def read(of: Client, folder: str) -> Get:
        return lambda path, **headers: of.get(f"{folder}/{path}", headers=headers)

    return {
        "API": read(client, f"/api/v1{VERSION}/artifact/files"),
        "page": read(browser, "/models/resnet50/versions/1/files"),
        "MLflow, version": read(client, f"{artifacts}/versions/{model}/1"),
        "MLflow, run": read(client, f"{artifacts}/run"),
        "page, HEAD": lambda path, **headers: browser.head(
            f"/models/resnet50/versions/1/files/{path}", headers=headers
        ),
    }


def assert_refused(answer: Any, content: bytes) -> None:
    assert answer.status_code == 500, answer.status_code
    if answer.request["REQUEST_METHOD"] != "HEAD":
        assert sha256(content) in answer.content.decode()


@pytest.mark.parametrize("how", ["missing", "size", "content"])
def test_every_route_refuses_damaged_content_and_names_it(
    routes: dict[str, Get], api: Program, how: str
) -> None:
    with every_case() as case:
        for route, get in routes.items():
            if how == "content" and route.endswith("HEAD"):
                # The content is not read.
                continue
            with case(route):
                repair(SMALL)
                assert get("small").status_code == 200
                damage(SMALL, how)
                assert_refused(get("small"), SMALL)
                assert mark_of(SMALL) == how
                # Later requests too, also for a part.
                for asked in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=0-"}):
                    assert_refused(get("small", **asked), SMALL)
                assert get("small", **{"If-None-Match": f'"{sha256(SMALL)}"'}).status_code == 304
    problem = routes["API"]("small").json()
    assert problem["code"] == "damaged_file"
    file = next(f for f in api.get(f"{VERSION}/artifact").json()["files"] if f["path"] == "small")
    assert file["damage"] == how


def test_a_transfer_of_altered_content_ends_before_its_last_piece(
    routes: dict[str, Get], caplog: pytest.LogCaptureFixture
) -> None:
    with every_case() as case:
        for route, get in routes.items():
            if route.endswith("HEAD"):
                continue
            for asked in ({}, {"Range": "bytes=0-"}):
                with case(f"{route} {asked}"):
                    repair(LARGE)
                    assert b"".join(get("large", **asked).streaming_content) == LARGE
                    damage(LARGE, "content")
                    answer = get("large", **asked)
                    sent: list[bytes] = []
                    with pytest.raises(DamagedFile, match=sha256(LARGE)):
                        sent.extend(answer.streaming_content)
                    assert sum(map(len, sent)) == 2 * blob_store.PIECE
                    assert answer["Content-Length"] == str(len(LARGE))
                    assert f"The content {sha256(LARGE)} was altered." in caplog.text
                    assert_refused(get("large"), LARGE)
                    assert_refused(get("large", Range="bytes=0-3"), LARGE)
                    caplog.clear()


def test_content_that_shrinks_while_it_is_sent_ends_early(routes: dict[str, Get]) -> None:
    answer = routes["API"]("large")
    with place_of(LARGE).open("r+b") as file:
        file.truncate(blob_store.PIECE + 1)
    with pytest.raises(DamagedFile):
        b"".join(answer.streaming_content)
    assert_refused(routes["API"]("large"), LARGE)
    assert mark_of(LARGE) == "size"


def test_content_that_is_stored_again_during_a_read_is_not_marked(routes: dict[str, Get]) -> None:
    damage(LARGE, "content")
    answer = routes["API"]("large")
    repair(LARGE)
    with pytest.raises(DamagedFile):
        b"".join(answer.streaming_content)
    assert mark_of(LARGE) == ""
    assert b"".join(routes["API"]("large").streaming_content) == LARGE


@pytest.mark.parametrize("how", ["missing", "size", "content"])
def test_damaged_content_is_uploaded_again_which_repairs_it(
    routes: dict[str, Get], api: Program, how: str
) -> None:
    blob = f"/blobs/{sha256(SMALL)}"
    damage(SMALL, how)
    routes["API"]("small")
    # Clients skip content that the server has.
    assert api.get(blob).status_code == 404
    api.post("/models/other/versions", {})
    entry = {"files": [{"path": "a", "sha256": sha256(SMALL)}]}
    refused = api.put("/models/other/versions/1/artifact", entry)
    assert (refused.status_code, refused.json()["what"]) == (404, "blob")
    assert api.put(blob, SMALL).status_code == 200
    assert (mark_of(SMALL), api.get(blob).status_code) == ("", 204)
    assert api.put("/models/other/versions/1/artifact", entry).status_code == 200
    assert b"".join(routes["API"]("small").streaming_content) == SMALL


def test_damaged_files_are_named_on_the_page_and_by_doctor_until_they_are_intact(
    routes: dict[str, Get], api: Program, alice: User
) -> None:
    browser = Client()
    browser.force_login(alice, "django.contrib.auth.backends.ModelBackend")
    warning = "small is damaged: its stored content was altered."
    page = "/models/resnet50/versions/1/"
    intact = CliRunner().invoke(doctor, [])
    assert "ok  No stored file is marked as damaged." in intact.output
    assert warning not in browser.get(page).content.decode()

    damage(SMALL, "content")
    # Only what is marked is read; --blobs reads everything.
    assert "small" not in CliRunner().invoke(doctor, []).output
    for arguments in (["--blobs"], []):
        found = CliRunner().invoke(doctor, arguments)
        assert found.exit_code == 1
        assert f"BAD The content {sha256(SMALL)} was altered. Used by resnet50 v1" in found.output
        assert warning in browser.get(page).content.decode()
        assert warning in api.get(f"{VERSION}/artifact").json()["warnings"][0]

    # An operator restores it from a backup.
    place_of(SMALL).write_bytes(SMALL)
    assert_refused(routes["API"]("small"), SMALL)
    restored = CliRunner().invoke(doctor, [])
    assert f"ok  The content {sha256(SMALL)} is intact again." in restored.output
    assert warning not in browser.get(page).content.decode()
    assert b"".join(routes["API"]("small").streaming_content) == SMALL


def test_content_that_is_missing_for_a_time_is_served_again_without_a_repair(
    routes: dict[str, Get],
) -> None:
    place = place_of(SMALL)
    place.rename(place.with_suffix(".elsewhere"))
    assert_refused(routes["API"]("small"), SMALL)
    place.with_suffix(".elsewhere").rename(place)
    assert b"".join(routes["API"]("small").streaming_content) == SMALL


def test_an_inspection_reads_no_altered_content(routes: dict[str, Get], api: Program) -> None:
    damage(SMALL, "content")
    forget_inspections()
    version = Blob.objects.get(sha256=sha256(SMALL)).artifact_files.get().version
    reason = "small could not be inspected: its content was altered."
    for _ in range(2):
        inspect_version(pk=version.pk, actor=SYSTEM, at=timezone.now())
        assert mark_of(SMALL) == "content"
        assert reason in api.get(VERSION).json()["artifact_warnings"]
    repair(SMALL)
    inspect_version(pk=version.pk, actor=SYSTEM, at=timezone.now())
    assert reason not in api.get(VERSION).json()["artifact_warnings"]


def test_an_empty_file_is_sent(api: Program, routes: dict[str, Get]) -> None:
    assert api.put(f"/blobs/{sha256(b'')}", b"").status_code == 200
    api.post("/models/empty/versions", {})
    entry = {"files": [{"path": "a", "sha256": sha256(b"")}]}
    assert api.put("/models/empty/versions/1/artifact", entry).status_code == 200
    got = api.get("/models/empty/versions/1/artifact/files/a")
    assert (got.status_code, b"".join(got.streaming_content)) == (200, b"")
