"""Uploading files of a version by the form of its page, and in pieces as its script does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from boards.files import blob_store
from boards.models import AuditEvent, Blob, ModelVersion, User
from boards.registry.artifacts.artifacts import collect_garbage
from boards.registry.database import DatabaseRegistry
from obeya.stages import Stage
from tests.views.page_text import text_of
from tests.views.people import person

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
PAGE = "/models/resnet50/versions/1/"
FORM = f"{PAGE}artifact/"
PIECES = f"{PAGE}artifact/pieces/"
WHOLE = bytes(range(256)) * 40


@pytest.fixture
def page(registry: DatabaseRegistry, client_of: ClientOf, alice: User) -> Client:
    """Register a version in Development without files; return a contributor's browser."""
    registry.register_model("resnet50")
    return client_of(alice)


def incomplete_files() -> list[Path]:
    return sorted(blob_store.incoming().iterdir())


def piece(page: Client, body: bytes, offset: int, **which: object) -> dict[str, object]:
    answer = page.put(
        PIECES,
        body,
        content_type="application/octet-stream",
        query_params={"path": "w/a.bin", "size": len(WHOLE), "offset": offset, **which},
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def here(page: Client, **which: object) -> dict[str, object]:
    return page.get(PIECES, {"path": "w/a.bin", "size": len(WHOLE), **which}).json()


# --- The form without a script --------------------------------------------------------------------


def test_the_form_stores_its_files(page: Client) -> None:
    files = [SimpleUploadedFile("MLmodel", b"flavors: {}\n"), SimpleUploadedFile("a.bin", WHOLE)]
    answer = page.post(FORM, {"file": files})
    assert answer.status_code == 302
    assert answer["Location"] == PAGE
    shown = text_of(page.get(PAGE))
    assert "resnet50 v1 now has 2 files." in shown
    assert "a.bin" in shown
    row = ModelVersion.objects.get()
    assert row.artifact_size == len(WHOLE) + 12
    assert row.artifact_digest in shown
    assert AuditEvent.objects.filter(action="model_version.artifact_stored").count() == 1
    assert incomplete_files() == []


def test_an_invalid_name_is_explained_beside_the_field(page: Client) -> None:
    files = [SimpleUploadedFile("good.bin", WHOLE), SimpleUploadedFile("a;b.bin", WHOLE)]
    answer = page.post(FORM, {"file": files})
    assert answer.status_code == 400
    text = text_of(answer)
    assert 'id="upload-problem"' in text
    assert "“a;b.bin” is not a valid file path" in text
    assert not Blob.objects.exists()
    assert incomplete_files() == []


def test_a_form_without_files_says_what_to_do(page: Client) -> None:
    answer = page.post(FORM, {})
    assert answer.status_code == 400
    assert "Choose the files of this version." in text_of(answer)


def test_a_version_that_has_left_development_is_explained_beside_the_form(
    page: Client, registry: DatabaseRegistry
) -> None:
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    answer = page.post(FORM, {"file": SimpleUploadedFile("a.bin", b"1")})
    assert answer.status_code == 409
    assert "Replace the files" not in text_of(answer)
    assert ModelVersion.objects.get().artifact_size is None


def test_a_form_over_the_limit_is_refused_before_it_is_read(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OBEYA_UPLOAD_MAX_MIB", 1)
    answer = page.post(FORM, {"file": SimpleUploadedFile("a.bin", bytes(1_100_000))})
    assert answer.status_code == 413
    assert "at most 1 MiB" in text_of(answer)
    assert incomplete_files() == []


def test_a_cross_site_form_stores_nothing(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.register_model("resnet50")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client_of(alice).cookies
    answer = strict.post(FORM, {"file": SimpleUploadedFile("a.bin", WHOLE)})
    assert answer.status_code == 403
    assert strict.put(PIECES, WHOLE, query_params={"path": "a", "size": 1}).status_code == 403
    assert not Blob.objects.exists()
    assert incomplete_files() == []


@pytest.mark.parametrize("method", ["post", "put", "get"])
def test_a_viewer_cannot_store_files_and_sees_no_form(
    page: Client, victor: User, client_of: ClientOf, method: str
) -> None:
    viewer = client_of(victor)
    assert "data-upload" in text_of(page.get(PAGE))
    assert "data-upload" not in text_of(viewer.get(PAGE))
    address = FORM if method == "post" else f"{PIECES}?path=a&size=1&offset=0"
    assert getattr(viewer, method)(address).status_code == 403
    assert not Blob.objects.exists()
    assert incomplete_files() == []


def test_storing_requires_sign_in(page: Client, client: Client) -> None:
    brought = {"file": SimpleUploadedFile("a.bin", WHOLE)}
    assert client.post(FORM, brought).status_code == 302
    assert client.get(PIECES).status_code == 302
    assert incomplete_files() == []


# --- In pieces ------------------------------------------------------------------------------------


def test_a_file_in_pieces_is_stored_and_named(page: Client) -> None:
    assert here(page) == {"received": 0, "sha256": ""}
    assert piece(page, WHOLE[:4000], 0) == {"received": 4000, "sha256": ""}
    assert here(page) == {"received": 4000, "sha256": ""}
    assert not Blob.objects.exists()
    sha256 = hashlib.sha256(WHOLE).hexdigest()
    assert piece(page, WHOLE[4000:], 4000) == {"received": len(WHOLE), "sha256": sha256}
    # Started again after the page was reloaded: nothing needs to be sent.
    assert here(page) == {"received": len(WHOLE), "sha256": sha256}
    answer = page.post(FORM, {"files": json.dumps([{"path": "w/a.bin", "sha256": sha256}])})
    assert answer.status_code == 302
    assert b"".join(page.get(f"{PAGE}files/w/a.bin").streaming_content) == WHOLE


def test_a_piece_at_a_wrong_offset_changes_nothing_and_gets_the_right_one(page: Client) -> None:
    piece(page, WHOLE[:4000], 0)
    for offset in (0, 3999, 4001, len(WHOLE)):
        assert piece(page, b"other", offset) == {"received": 4000, "sha256": ""}
    made = piece(page, WHOLE[4000:], 4000)
    assert made["sha256"] == hashlib.sha256(WHOLE).hexdigest()


def test_the_last_piece_sent_twice_stores_once(page: Client) -> None:
    first = piece(page, WHOLE, 0)
    assert piece(page, WHOLE, 0) == first
    assert Blob.objects.count() == 1


def test_pieces_of_a_changed_file_another_path_or_user_are_separate(
    page: Client, client_of: ClientOf
) -> None:
    carol = person("carol", "contributor")
    piece(page, WHOLE[:4000], 0, modified=1)
    assert here(page, modified=2)["received"] == 0
    assert here(page, path="w/b.bin", modified=1)["received"] == 0
    assert here(client_of(carol), modified=1)["received"] == 0
    assert here(page, modified=1)["received"] == 4000


def test_bytes_beyond_the_file_are_refused_and_the_upload_restarts(page: Client) -> None:
    piece(page, WHOLE[:4000], 0)
    answer = page.put(
        f"{PIECES}?path=w/a.bin&size={len(WHOLE)}&offset=4000", WHOLE, content_type="a/b"
    )
    assert answer.status_code == 400
    assert "Received more than the 10,240 bytes" in text_of(answer)
    assert here(page)["received"] == 0


def test_an_empty_file_can_be_stored(page: Client) -> None:
    made = piece(page, b"", 0, size=0)
    assert made == {"received": 0, "sha256": hashlib.sha256(b"").hexdigest()}


@pytest.mark.parametrize(
    "query",
    [
        "path=..%2Fx&size=1&offset=0",
        "path=a&size=1",
        "path=a&offset=0",
        "path=a&size=-1&offset=0",
        "path=a&size=1e3&offset=0",
        "path=&size=1&offset=0",
        f"path={'x' * 5000}&size=1&offset=0",
    ],
)
def test_an_invalid_piece_is_refused(page: Client, query: str) -> None:
    assert page.put(f"{PIECES}?{query}", b"1", content_type="a/b").status_code == 400
    assert incomplete_files() == []


def test_a_file_over_the_limit_is_refused_before_its_first_piece(page: Client) -> None:
    huge = settings.OBEYA_UPLOAD_MAX_MIB * 2**20 + 1
    assert page.get(PIECES, {"path": "a", "size": huge}).status_code == 413
    answer = page.put(f"{PIECES}?path=a&size={huge}&offset=0", b"1", content_type="a/b")
    assert answer.status_code == 413
    assert incomplete_files() == []


def test_content_collected_since_is_sent_again(page: Client) -> None:
    piece(page, WHOLE, 0)
    later = timezone.now() + timedelta(days=2)
    assert [size for _, size in collect_garbage(at=later, remove=True)] == [len(WHOLE)]
    assert here(page) == {"received": 0, "sha256": ""}


@pytest.mark.parametrize(
    "files",
    ["", "nonsense", "1", "[]", "[1]", '[{"path": "a"}]', '{"path": "a"}', "[" * 100_000],
)
def test_an_invalid_list_of_files_is_refused(page: Client, files: str) -> None:
    answer = page.post(FORM, {"files": files})
    assert answer.status_code == 400
    assert 'id="upload-problem"' in text_of(answer)


def test_content_that_was_never_sent_cannot_be_referenced(page: Client) -> None:
    answer = page.post(FORM, {"files": json.dumps([{"path": "a", "sha256": "0" * 64}])})
    assert answer.status_code == 404
    assert "Upload it first" in text_of(answer)
    assert ModelVersion.objects.get().artifact_size is None


def test_files_of_an_unknown_version_are_refused(page: Client) -> None:
    for address in ("/models/resnet50/versions/9/artifact/", "/models/x/versions/1/artifact/"):
        answer = page.post(address, {"file": SimpleUploadedFile("a.bin", WHOLE)})
        assert answer.status_code == 404
    assert not Blob.objects.exists()
    assert incomplete_files() == []
