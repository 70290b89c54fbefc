"""Uploading the files of a version from its page in a browser."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from boards.models import ArtifactFile, ModelVersion
from boards.registry.database import DatabaseRegistry
from obeya.artifacts.manifest import FileEntry, artifact_digest, local_files, sha256_of
from tests.e2e.conftest import ConsoleErrors, Visit
from tests.e2e.relay import relay

PAGE = "/models/churn/versions/1/"
PIECE = 8 * 1024 * 1024
HANGS = 60_000
"""Milliseconds after which an upload hangs. No result depends on how long it takes."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create a folder with one file that is sent in three pieces."""
    model = tmp_path / "model"
    (model / "weights").mkdir(parents=True)
    (model / "MLmodel").write_text("flavors: {sklearn: {sklearn_version: 1.6.1}}\n")
    (model / "weights" / "big.bin").write_bytes(os.urandom(2 * PIECE + 17))
    return model


@pytest.fixture
def page(registry: DatabaseRegistry, visit: Visit) -> Page:
    return visit(PAGE, user="carol", viewport={"width": 1440, "height": 900})


def start(page: Page) -> None:
    page.get_by_role("button", name="Upload", exact=True).click()


def digest_of(folder: Path) -> str:
    files = local_files(folder)
    return artifact_digest([FileEntry(path, sha256_of(file)) for path, file in files.items()])


def test_a_folder_is_uploaded_with_its_paths(page: Page, folder: Path) -> None:
    # No timer fires, so that the message stays until the test reads it.
    page.clock.install(time=0)
    page.clock.pause_at(1)
    page.set_input_files("#upload-folder", folder)
    start(page)
    expect(page.locator("#toasts")).to_contain_text("churn v1 now has 2 files.", timeout=HANGS)
    expect(page.locator("#digest")).to_have_text(digest_of(folder))
    expect(page.get_by_role("link", name="big.bin")).to_be_visible()
    stored = ArtifactFile.objects.filter(version__model__name="churn")
    assert set(stored.values_list("path", flat=True)) == {"MLmodel", "weights/big.bin"}


def test_an_upload_resumes_after_a_broken_connection(
    page: Page, folder: Path, console_errors: ConsoleErrors
) -> None:
    console_errors.ignore("net::ERR_")
    sent: list[str] = []

    def cut(route: Route) -> None:
        if route.request.method == "PUT":
            sent.append(route.request.url.partition("offset=")[2])
            if len(sent) == 3:
                route.abort()
                return
        route.continue_()

    page.route("**/pieces/**", cut)
    page.set_input_files("#upload-folder", folder)
    start(page)
    expect(page.locator("#digest")).to_have_text(digest_of(folder), timeout=HANGS)
    # The small file, then the big one: its second piece is cut off and sent again.
    assert sent == ["0", "0", str(PIECE), str(PIECE), str(2 * PIECE)]


def test_a_stopped_upload_resumes_after_a_reload(
    page: Page, folder: Path, live_server: Any
) -> None:
    big = folder / "weights" / "big.bin"
    # The second piece is cut off in the middle: the server gets 3 of its 8 MiB.
    with relay(live_server.url, f"offset={PIECE}", let_through=3 * 1024 * 1024) as line:
        page.goto(f"{line.url}{PAGE}")
        page.set_input_files("#upload-files", big)
        start(page)
        line.wait_until_held()
        expect(page.locator("[data-progress-text]")).to_contain_text(
            "8.0 MB of 16.0 MB, file 1 of 1: big.bin"
        )
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("alert")).to_contain_text("Upload stopped.")
        expect(page.get_by_role("button", name="Upload", exact=True)).to_be_focused()
        line.cut()
        assert ModelVersion.objects.get(model__name="churn").artifact_size is None

        page.reload()
        page.set_input_files("#upload-files", big)
        offsets: list[str] = []
        page.on(
            "request",
            lambda request: (
                request.method == "PUT" and offsets.append(request.url.partition("offset=")[2])
            ),
        )
        start(page)
        sha256 = hashlib.sha256(big.read_bytes()).hexdigest()
        expect(page.locator("#digest")).to_have_text(f"sha256:{sha256}", timeout=HANGS)
        assert offsets == [str(PIECE), str(2 * PIECE)]


def test_a_refusal_of_the_server_is_explained(page: Page, tmp_path: Path) -> None:
    odd = tmp_path / "a;b.bin"
    odd.write_bytes(b"content")
    page.set_input_files("#upload-files", odd)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("it contains “;”")
    expect(page.locator("#upload-files")).to_be_enabled()


def test_an_empty_selection_is_explained(page: Page) -> None:
    start(page)
    expect(page.get_by_role("alert")).to_have_text("Choose the files of this version.")


def test_without_scripts_the_form_uploads_the_files(
    registry: DatabaseRegistry, visit: Visit, folder: Path
) -> None:
    page = visit(PAGE, user="carol", java_script_enabled=False)
    expect(page.locator("#upload-folder")).to_be_hidden()
    page.set_input_files("#upload-files", [folder / "MLmodel", folder / "weights" / "big.bin"])
    start(page)
    expect(page.locator("#files")).to_contain_text("2 files, 16.0 MB", timeout=HANGS)


def test_the_digest_is_copied(page: Page, folder: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_input_files("#upload-files", folder / "MLmodel")
    start(page)
    page.get_by_role("button", name="Copy the digest").click(timeout=HANGS)
    expect(page.locator("#live")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"sha256:{sha256_of(folder / 'MLmodel')}"
