"""Files over the MLflow protocol: unmodified clients store and load them; access is confined."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from boards.models import ArtifactFile, ModelVersion, RunFile
from tests.core.traversals import TRAVERSALS

ROOT = "/api/2.0/mlflow-artifacts"


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("mlflow")
def test_a_stock_client_logs_a_model_here_and_another_loads_it(
    run_client: Any, tmp_path: Path
) -> None:
    in_parts = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(5 * 1024 * 1024),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * 1024 * 1024),
    }
    assert "done" in run_client("files_here.py", **in_parts)
    other = tmp_path / "another machine"
    other.mkdir()
    elsewhere = {"HOME": str(other), "MLFLOW_TRACKING_URI": f"sqlite:///{other}/runs.db"}
    shutil.move(tmp_path / "runs.db", other)
    assert "loaded" in run_client("load_from_here.py", cwd=other, **elsewhere)
    version = ModelVersion.objects.get()
    assert version.artifact_size
    described = ArtifactFile.objects.get(version=version, path="MLmodel").blob.findings
    assert "sklearn" in [flavor["name"] for flavor in described["mlmodel"]["flavors"]]


@pytest.fixture
def send(token: str) -> Any:
    client = Client()

    def sent(method: str, path: str, body: bytes = b"", token: str = token) -> Any:
        return client.generic(
            method, f"{ROOT}{path}", body, headers={"Authorization": f"Bearer {token}"}
        )

    return sent


def test_a_file_is_stored_listed_read_and_deleted(send: Any) -> None:
    assert send("PUT", "/artifacts/e/r/model/a.bin", b"abc").status_code == 200
    assert send("PUT", "/artifacts/e/r/b.bin", b"").status_code == 200
    assert send("GET", "/artifacts?path=e/r").json() == {
        "files": [
            {"path": "b.bin", "is_dir": False, "file_size": 0},
            {"path": "model", "is_dir": True},
        ]
    }
    got = send("GET", "/artifacts/e/r/model/a.bin")
    assert b"".join(got.streaming_content) == b"abc"
    assert send("DELETE", "/artifacts/e/r").status_code == 200
    assert send("GET", "/artifacts/e/r/b.bin").status_code == 404
    assert send("GET", "/artifacts?path=e").json() == {"files": []}


def test_folders_that_differ_in_case_are_two(send: Any, token: str) -> None:
    for folder in ("Run", "run"):
        assert send("PUT", f"/artifacts/{folder}/a", folder.encode()).status_code == 200
    assert [f["path"] for f in send("GET", "/artifacts").json()["files"]] == ["Run", "run"]
    api = Client(headers={"Authorization": f"Bearer {token}"})
    kind = "application/json"
    api.post("/api/2.0/mlflow/registered-models/create", {"name": "m"}, content_type=kind)
    source = f"http://testserver{ROOT}/artifacts/run"
    body = {"name": "m", "source": source}
    api.post("/api/2.0/mlflow/model-versions/create", body, content_type=kind)
    assert ArtifactFile.objects.get().path == "a"
    assert send("DELETE", "/artifacts/run").status_code == 200
    assert RunFile.objects.get().path == "Run/a"
    root = f"/artifacts/versions/{ModelVersion.objects.get().model.uid}/1"
    assert b"".join(send("GET", f"{root}/a").streaming_content) == b"run"


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_escapes_the_artifact_folder(send: Any, path: str) -> None:
    escaped = quote(path.encode("utf-8", "surrogatepass"), safe="/")
    for method in ("PUT", "GET", "DELETE"):
        assert send(method, f"/artifacts/{escaped}", b"x").status_code in (400, 404)
    if path.strip("/"):
        listed = send("GET", f"/artifacts?path={quote(path.encode('utf-8', 'surrogatepass'))}")
        assert listed.status_code == 400 or listed.json() == {"files": []}
    assert not RunFile.objects.exists()


def test_files_stored_elsewhere_are_never_served(send: Any, token: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {token}"})
    kind = "application/json"
    api = "/api/2.0/mlflow"
    client.post(f"{api}/registered-models/create", {"name": "m"}, content_type=kind)
    for source in (
        "file:///etc/passwd",
        "../../etc/passwd",
        "http:///#/../../etc/passwd",
        "http://testserver/api/2.0/mlflow-artifacts/artifacts/../../etc",
        "http://testserver/api/2.0/mlflow-artifacts/artifacts/%2e%2e/etc",
        "mlflow-artifacts:/../etc",
    ):
        made = client.post(
            f"{api}/model-versions/create", {"name": "m", "source": source}, content_type=kind
        )
        number = made.json()["model_version"]["version"]
        row = ModelVersion.objects.get(number=number)
        assert row.artifact_size is None
        listed = send("GET", f"/artifacts?path=versions/{row.model.uid}/{number}").json()
        assert listed == {"files": []}
        below = f"/artifacts/versions/{row.model.uid}/{number}/etc/passwd"
        assert send("GET", below).status_code == 404


def test_the_files_of_versions_are_read_only(send: Any) -> None:
    for method in ("PUT", "DELETE"):
        assert send(method, "/artifacts/versions/a/b", b"x").status_code == 403


def test_multipart_uploads_are_refused_as_clients_expect(send: Any) -> None:
    answer = send("POST", "/mpu/create/a", b"{}")
    assert answer.status_code == 501
    assert answer.json()["error_code"] == "NOT_IMPLEMENTED"
    assert answer.json()["message"].startswith("Multipart upload is not supported")


def test_a_token_is_required(send: Any) -> None:
    for method, path in (("GET", "/artifacts"), ("PUT", "/artifacts/a"), ("GET", "/artifacts/a")):
        assert send(method, path, token="none").status_code == 401
