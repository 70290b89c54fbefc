"""The files of a version on its page, and their download."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.access.actors import Actor
from boards.models import User
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.database import DatabaseRegistry
from obeya.artifacts.manifest import FileEntry
from obeya.records import Channel
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
ADDRESS = "/models/resnet50/versions/1/"
MLMODEL = b"""flavors: {sklearn: {sklearn_version: 1.6.1}}
signature: {inputs: '[{"type": "double", "name": "<img src=x onerror=alert(1)>"}]'}
"""


class Called:
    def __reduce__(self):
        return print, ("never",)


def safetensors() -> bytes:
    tensor = {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}
    # A file can contain text that no database stores: a null character, half of a surrogate pair.
    said = {"a\x00b": "\ud800"}
    header = json.dumps({"layer.<b>weight</b>": tensor, "__metadata__": said}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(48)


@pytest.fixture
def stored(registry: DatabaseRegistry, alice: User) -> None:
    registry.register_model("resnet50")
    store(
        alice,
        {
            "MLmodel": MLMODEL,
            "model.safetensors": safetensors(),
            "data/'onmouseover=alert(1).bin": pickle.dumps(Called()),
        },
    )


def store(user: User, files: dict[str, bytes]) -> None:
    actor, at = Actor(user, Channel.API), timezone.now()
    entries = [
        FileEntry(
            path,
            store_blob(body=io.BytesIO(body), size=len(body), actor=actor, at=at).sha256,
        )
        for path, body in files.items()
    ]
    set_artifact(name="resnet50", version=1, files=entries, actor=actor, at=at)


def test_the_page_shows_what_is_in_the_files(
    stored: None, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    for shown in (
        "sklearn 1.6.1",
        "12 parameters in 1 tensor<",
        "3 × 4",
        "contains a pickle, which runs code when loaded; it imports builtins.print",
        "sha256:",
        "3 files",
    ):
        assert shown in page, shown


def test_names_and_contents_are_escaped(stored: None, client_of: ClientOf, alice: User) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    assert "<img src=x" not in page
    assert "<b>weight" not in page
    assert "'onmouseover" not in page


def test_a_file_is_downloaded_as_an_attachment(
    stored: None, client_of: ClientOf, alice: User
) -> None:
    answer = client_of(alice).get(f"{ADDRESS}files/model.safetensors")
    assert b"".join(answer.streaming_content) == safetensors()
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert client_of(alice).get(f"{ADDRESS}files/nothing").status_code == 404


def test_downloading_requires_sign_in(stored: None, client: Client) -> None:
    assert client.get(f"{ADDRESS}files/model.safetensors").status_code == 302


def test_the_page_takes_as_many_statements_for_a_hundred_files(
    stored: None, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    client.get(ADDRESS)
    with CaptureQueriesContext(connection) as few:
        client.get(ADDRESS)
    store(alice, {f"file {number}": b"%d" % number for number in range(100)})
    with CaptureQueriesContext(connection) as many:
        client.get(ADDRESS)
    assert len(many) == len(few)


def test_a_version_without_files_says_how_to_store_them(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, victor: User
) -> None:
    registry.register_model("resnet50", artifact_path="s3://models/1")
    page = text_of(client_of(alice).get(ADDRESS))
    assert "Files are stored elsewhere:" in page
    assert "s3://models/1" in page
    assert "obeya upload PATH" in page
    assert "obeya upload PATH" not in text_of(client_of(victor).get(ADDRESS))
