"""Files in a bucket, on a real server of the S3 protocol."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import RequestFactory
from django.utils import timezone
from moto.server import ThreadedMotoServer

from boards.access.actors import SYSTEM
from boards.files import blob_store
from boards.files.downloads import file_response
from boards.models import Blob
from boards.queries.verification.blob_verification import examined_blobs
from boards.registry.artifacts.artifacts import UNNAMED_FOR, collect_garbage, store_blob
from boards.registry.artifacts.damage import mark_damaged
from obeya.artifacts.records import ArtifactFile
from obeya.errors import DamagedFile
from registry_site import environment

CONTENT = b"in a bucket" * 100_000


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, settings: object) -> Iterator[object]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="models")
    where = "s3://models/obeya"
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "artifacts": environment.artifact_storage("OBEYA_ARTIFACTS", where),
    }
    yield s3
    storages._storages.pop("artifacts", None)
    s3.close()
    server.stop()


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_content_is_stored_in_the_bucket_once_and_read_back(bucket: object) -> None:
    for _ in range(2):
        at = timezone.now()
        blob = store_blob(body=io.BytesIO(CONTENT), size=len(CONTENT), actor=SYSTEM, at=at)
    listed = bucket.list_objects_v2(Bucket="models")["Contents"]  # type: ignore[attr-defined]
    start = f"obeya/blobs/{blob.sha256[:2]}/{blob.sha256[2:4]}/"
    assert [entry["Key"] for entry in listed] == [start + blob.sha256]
    with blob_store.open_blob(blob.sha256) as file:
        file.seek(11)
        assert file.read(11) == b"in a bucket"
    assert [examined.fault for examined in examined_blobs()] == [""]
    stray = store_blob(body=io.BytesIO(b"stray"), size=5, actor=SYSTEM, at=timezone.now())
    Blob.objects.filter(pk=stray.pk).delete()
    later = timezone.now() + 2 * UNNAMED_FOR
    assert collect_garbage(at=timezone.now(), remove=True) == []
    assert sorted(collect_garbage(at=later, remove=True)) == sorted(
        [(blob.sha256, len(CONTENT)), (stray.sha256, 5)]
    )
    assert not Blob.objects.exists()
    assert "Contents" not in bucket.list_objects_v2(Bucket="models")  # type: ignore[attr-defined]


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_damaged_content_in_the_bucket_is_noticed_marked_and_repaired(bucket: Any) -> None:
    def store() -> Blob:
        at = timezone.now()
        return store_blob(body=io.BytesIO(CONTENT), size=len(CONTENT), actor=SYSTEM, at=at)

    def download() -> int:
        file = ArtifactFile("a", blob.size, blob.sha256)
        answer = file_response(
            RequestFactory().get("/"),
            file,
            lambda found: mark_damaged(found=found, at=timezone.now()),
        )
        return sum(map(len, answer.streaming_content))  # type: ignore[attr-defined]

    blob = store()
    assert download() == len(CONTENT)
    where = {"Bucket": "models"}
    where["Key"] = bucket.list_objects_v2(**where)["Contents"][0]["Key"]
    for damage, content in (
        ("content", CONTENT[:-1] + b"X"),
        ("size", CONTENT[:-1]),
        ("missing", None),
    ):
        if content is None:
            bucket.delete_object(**where)
        else:
            bucket.put_object(**where, Body=content)
        with pytest.raises(DamagedFile, match=blob.sha256):
            download()
        assert Blob.objects.get().damage == damage
        assert blob.sha256 in next(examined.fault for examined in examined_blobs())
        assert store().damage == ""
        assert download() == len(CONTENT)


@pytest.mark.parametrize("where", ["s3://", "s3://UPPER", "s3://a", "s3://bucket/a b"])
def test_an_invalid_bucket_is_refused(where: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="OBEYA_ARTIFACTS"):
        environment.artifact_storage("OBEYA_ARTIFACTS", where)
