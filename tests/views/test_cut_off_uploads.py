"""Uploads that are cut off in the middle of a body, on a live server: nothing is stored."""

from __future__ import annotations

import hashlib
import io
import random
import resource
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import Actor
from boards.files import blob_store
from boards.models import ArtifactFile, Blob, ModelVersion, RunFile, User
from boards.registry.accounts.tokens import create_token
from boards.registry.artifacts.artifacts import store_blob
from boards.registry.database import DatabaseRegistry
from obeya.errors import StorageFull
from obeya.records import Channel
from obeya.tokens import Scope
from tests.views.raw_requests import CSRF, RawRequest, session_headers, sizes, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/models/resnet50/versions/1/"
PIECES = f"{PAGE}artifact/pieces/"
# The server reads 1 MiB at a time, so that half a piece is written before it is cut off.
PIECE = 3 * 1024 * 1024
HALF = PIECE // 2
# The same in every process, since test names contain its digest.
WHOLE = random.Random(0).randbytes(2 * PIECE)  # noqa: S311 - no secret
SHA256 = hashlib.sha256(WHOLE).hexdigest()
# The number in front of the first pieces, joined in one file.
COUNT = 8

Cut = Callable[[RawRequest], None]


@pytest.fixture
def signed_in(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> Client:
    registry.register_model("resnet50")
    return client_of(alice)


@pytest.fixture
def begin(live_server: Any, signed_in: Client) -> Callable[..., RawRequest]:
    """Return a function that begins a request of the signed-in browser."""
    headers = session_headers(signed_in.cookies["obeya_session"].value)

    def begin(method: str, path: str, length: int, **more: str) -> RawRequest:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return RawRequest(live_server.url, method, path, length, headers | named)

    return begin


Begin = Callable[..., RawRequest]


def address(offset: int) -> str:
    return f"{PIECES}?path=big.bin&size={len(WHOLE)}&offset={offset}"


def send(begin: Begin, offset: int, content: bytes) -> Any:
    """Send a whole piece; return the response document."""
    request = begin("PUT", address(offset), len(content))
    request.send(content)
    status, document = request.answer()
    assert status == 200
    return document


def stored(signed_in: Client) -> Any:
    return signed_in.get(f"{PIECES}?path=big.bin&size={len(WHOLE)}").json()


def half_close(request: RawRequest) -> None:
    request.stop_sending()
    status, _ = request.answer()
    assert status == 400


def cut_off(request: RawRequest, sent: bytes, cut: Cut) -> None:
    """Send a part of a body, let the server write some of it, and disconnect."""
    before = sum(sizes(blob_store.incoming()))
    request.send(sent)
    wait_until(lambda: sum(sizes(blob_store.incoming())) >= before + 1024 * 1024)
    cut(request)
    wait_until(lambda: sum(sizes(blob_store.incoming())) <= before)


cuts = pytest.mark.parametrize("cut", [half_close, RawRequest.close, RawRequest.reset])


@cuts
@pytest.mark.parametrize("offset", [0, PIECE])
def test_a_piece_that_is_cut_off_does_not_count(
    signed_in: Client, begin: Begin, cut: Cut, offset: int
) -> None:
    if offset:
        assert send(begin, 0, WHOLE[:PIECE]) == {"received": PIECE, "sha256": ""}
    left = [COUNT + PIECE] if offset else []
    for _ in range(2):
        cut_off(begin("PUT", address(offset), PIECE), WHOLE[offset : offset + HALF], cut)
        assert stored(signed_in) == {"received": offset, "sha256": ""}
        assert sizes(blob_store.incoming()) == left
    for start in range(offset, len(WHOLE), PIECE):
        document = send(begin, start, WHOLE[start : start + PIECE])
    assert document == {"received": len(WHOLE), "sha256": SHA256}
    with blob_store.open_blob(SHA256) as file:
        assert file.read() == WHOLE


def test_a_piece_without_its_last_byte_does_not_count(signed_in: Client, begin: Begin) -> None:
    request = begin("PUT", address(0), PIECE)
    request.send(WHOLE[: PIECE - 1])
    half_close(request)
    assert stored(signed_in) == {"received": 0, "sha256": ""}
    assert sizes(blob_store.incoming()) == []


def test_while_a_piece_arrives_only_whole_pieces_count(signed_in: Client, begin: Begin) -> None:
    send(begin, 0, WHOLE[:PIECE])
    request = begin("PUT", address(PIECE), PIECE)
    request.send(WHOLE[PIECE : PIECE + HALF])
    wait_until(lambda: len(sizes(blob_store.incoming())) == 2)
    assert stored(signed_in) == {"received": PIECE, "sha256": ""}
    request.send(WHOLE[PIECE + HALF :])
    assert request.answer() == (200, {"received": len(WHOLE), "sha256": SHA256})


@pytest.mark.parametrize("offset", [0, PIECE])
def test_a_window_that_stops_in_the_middle_does_not_block_another(
    signed_in: Client, begin: Begin, offset: int
) -> None:
    if offset:
        send(begin, 0, WHOLE[:PIECE])
    slow = begin("PUT", address(offset), PIECE)
    slow.send(WHOLE[offset : offset + HALF])
    wait_until(lambda: sum(sizes(blob_store.incoming())) >= offset + 1024 * 1024)

    fast = send(begin, offset, WHOLE[offset : offset + PIECE])
    assert fast["received"] == offset + PIECE
    slow.send(WHOLE[offset + HALF : offset + PIECE])
    assert slow.answer() == (200, fast)
    if not offset:
        fast = send(begin, PIECE, WHOLE[PIECE:])
    assert fast["sha256"] == SHA256
    assert Blob.objects.get().size == len(WHOLE)


def test_what_a_killed_server_left_behind_the_last_whole_piece_does_not_count(
    signed_in: Client, begin: Begin
) -> None:
    send(begin, 0, WHOLE[:PIECE])
    (joined,) = blob_store.incoming().glob("*.part")
    with joined.open("ab") as file:
        # Longer than the next piece, so that a part of it would remain after it.
        file.write(bytes(PIECE + 1000))
    assert stored(signed_in) == {"received": PIECE, "sha256": ""}
    assert send(begin, PIECE, WHOLE[PIECE:]) == {"received": len(WHOLE), "sha256": SHA256}


def test_a_server_killed_while_it_created_the_file_left_nothing_that_counts(
    signed_in: Client, begin: Begin
) -> None:
    send(begin, 0, WHOLE[:PIECE])
    (joined,) = blob_store.incoming().glob("*.part")
    joined.write_bytes(b"")
    assert stored(signed_in) == {"received": 0, "sha256": ""}
    send(begin, 0, WHOLE[:PIECE])
    assert send(begin, PIECE, WHOLE[PIECE:])["sha256"] == SHA256


def test_a_body_that_the_disk_takes_only_in_part_is_not_stored(alice: User) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    body, actor = io.BytesIO(WHOLE[:100_001]), Actor(alice, Channel.PAGE)
    # Files of this process cannot exceed 100,000 bytes, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageFull):
            store_blob(body=body, size=100_001, actor=actor, at=timezone.now())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sizes(blob_store.incoming()) == []
    assert not Blob.objects.exists()


def test_a_piece_in_chunks_is_refused_since_its_end_proves_nothing(
    signed_in: Client, begin: Begin
) -> None:
    chunked: dict[str, Any] = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    headers = {"Transfer-Encoding": "chunked"}
    answer = signed_in.put(address(0), WHOLE[:PIECE], headers=headers, **chunked)
    assert answer.status_code == 400
    assert "The request needs a Content-Length header." in answer.content.decode()
    assert stored(signed_in)["received"] == 0


@cuts
@pytest.mark.parametrize(
    "path", [f"/api/v1/blobs/{SHA256}", "/api/2.0/mlflow-artifacts/artifacts/run/big.bin"]
)
def test_a_file_of_the_api_or_of_mlflow_that_is_cut_off_is_not_stored(
    live_server: Any, alice: User, cut: Cut, path: str
) -> None:
    actor, at = Actor(alice, Channel.PAGE), timezone.now()
    _, token = create_token(user=alice, name="t", scopes=tuple(Scope), actor=actor, at=at)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    cut_off(RawRequest(live_server.url, "PUT", path, len(WHOLE), headers), WHOLE[:-1], cut)
    assert sizes(blob_store.incoming()) == []
    assert not Blob.objects.exists()
    assert not RunFile.objects.exists()

    request = RawRequest(live_server.url, "PUT", path, len(WHOLE), headers)
    request.send(WHOLE)
    assert request.answer()[0] == 200
    assert Blob.objects.get().sha256 == SHA256


@cuts
@pytest.mark.parametrize("end", ["in_the_second_file", "between_the_files", "before_the_end_mark"])
def test_a_form_that_is_cut_off_stores_none_of_its_files(
    signed_in: Client, begin: Begin, cut: Cut, end: str
) -> None:
    def field(name: str, content: bytes) -> bytes:
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        return head.encode() + content + b"\r\n"

    token = field("csrfmiddlewaretoken", CSRF.encode())
    first = field('file"; filename="first.bin', WHOLE)
    second = field('file"; filename="second.bin', WHOLE)
    form = token + first + second + b"--edge--\r\n"
    sent = {
        "in_the_second_file": form[: len(token + first) + HALF],
        "between_the_files": token + first,
        "before_the_end_mark": token + first + second,
    }[end]
    kind = {"Content_Type": "multipart/form-data; boundary=edge"}
    cut_off(begin("POST", f"{PAGE}artifact/", len(form), **kind), sent, cut)
    assert sizes(blob_store.incoming()) == []
    assert not ArtifactFile.objects.exists()
    assert ModelVersion.objects.get().artifact_size is None

    request = begin("POST", f"{PAGE}artifact/", len(form), **kind)
    request.send(form)
    assert request.answer()[0] == 302
    assert ArtifactFile.objects.count() == 2
