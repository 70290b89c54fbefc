"""Copying files from an MLflow server, and only from the sources that were requested."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import ArtifactFile, AuditEvent, Blob, ModelVersion
from boards.registry.verification import verify_new_events
from obeya.cli import main
from obeya.records import Channel
from tests.differing_rows import differing_rows

pytestmark = pytest.mark.django_db(transaction=True)

RunClient = Callable[..., str]


@pytest.fixture
def bring(live_server: Any, token: str) -> Callable[..., Result]:
    def run(source: str, *args: str) -> Result:
        settings = {"OBEYA_URL": live_server.url, "OBEYA_TOKEN": token}
        settings |= {"MLFLOW_TRACKING_TOKEN": "", "MLFLOW_TRACKING_USERNAME": ""}
        command = ["import", "mlflow", "--tracking-uri", source, "--with-artifacts", *args]
        return CliRunner().invoke(main, command, env=settings)

    return run


def test_files_are_copied_and_load_without_the_source(
    bring: Callable[..., Result], mlflow_server: Any, run_client: RunClient
) -> None:
    address = mlflow_server.address
    source = {"MLFLOW_TRACKING_URI": address, "MLFLOW_REGISTRY_URI": address}
    run_client("train_and_register.py", **source)
    run_client("promote_and_point_elsewhere.py", **source)

    trial = bring(address, "--dry-run")
    assert trial.exit_code == 0, trial.output
    assert not Blob.objects.exists()

    done = json.loads(bring(address, "--json").stdout)
    assert (done["imported"], done["refused"]) == (2, [])
    version = ModelVersion.objects.get(number=1)
    paths = set(ArtifactFile.objects.filter(version=version).values_list("path", flat=True))
    assert {"MLmodel", "requirements.txt"} <= paths
    assert done["files"] == len(paths)
    assert version.stage == "production"
    assert version.artifact_size
    assert done["without_files"] == [
        f"iris v2: s3://bucket/iris is neither on {address} nor on this machine."
    ]
    stored = AuditEvent.objects.get(version=version, action="model_version.artifact_stored")
    assert stored.channel == Channel.IMPORT.value
    assert list(differing_rows()) == []
    assert verify_new_events(actor=SYSTEM, at=timezone.now()).broken == []

    shutil.rmtree(mlflow_server.artifacts)
    again = json.loads(bring(address, "--json").stdout)
    assert (again["imported"], again["existing"], again["files"]) == (0, 2, 0)
    assert "loaded" in run_client("load_copied.py")


def test_files_of_this_machine_are_copied(
    bring: Callable[..., Result], mlflow_server: Any, run_client: RunClient, tmp_path: Path
) -> None:
    address = mlflow_server.address
    source = {"MLFLOW_TRACKING_URI": address, "MLFLOW_REGISTRY_URI": address}
    run_client("train_and_register.py", str(tmp_path / "artifacts"), **source)
    done = json.loads(bring(address, "--json").stdout)
    assert done["without_files"] == []
    assert ArtifactFile.objects.filter(path="MLmodel").exists()


@contextmanager
def hostile_server(files: dict[str, Any], contents: dict[str, bytes]) -> Iterator[str]:
    """Run an MLflow server with arbitrary listings (by folder) and contents (by path)."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            content = contents.get(parts.path.rpartition("/artifacts/")[2])
            if content is not None:
                self.send(content)
            elif parts.path.endswith("/artifacts"):
                folder = parse_qs(parts.query).get("path", [""])[0]
                self.send(json.dumps({"files": files.get(folder, [])}).encode())
            else:
                self.send(json.dumps(self.registry(parts.path)).encode())

        def registry(self, path: str) -> dict[str, Any]:
            model = {"name": "m", "creation_timestamp": 1_700_000_000_000}
            version = {"name": "m", "version": "1", "source": "mlflow-artifacts:/root"}
            if path.endswith("registered-models/search"):
                return {"registered_models": [model]}
            if path.endswith("registered-models/get"):
                return {"registered_model": model}
            return {"model_versions": [{**model, **version}]}

        def send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        ([{"path": "../../canary", "is_dir": False, "file_size": 1}], "is not a valid file path"),
        ([{"path": "/etc/passwd", "is_dir": False, "file_size": 1}], "is not a valid file path"),
        ([{"path": "", "is_dir": True}], "is not a valid file path"),
        ([{"path": "a", "is_dir": False, "file_size": 3}], "has 5 bytes instead of 3"),
        ([{"path": "a", "is_dir": False, "file_size": 9}], "has 5 bytes instead of 9"),
        ([{"path": f"f{n}", "is_dir": False} for n in range(10_001)], "more than 10,000 files"),
    ],
)
def test_hostile_listings_reach_no_other_place(
    bring: Callable[..., Result], listing: list[Any], why: str
) -> None:
    contents = {"root/a": b"12345"}
    with hostile_server({"root": listing}, contents) as source:
        done = bring(source, "--json")
    told = json.loads(done.stdout)
    assert told["imported"] == 1
    assert why in told["without_files"][0]
    assert not Blob.objects.exists()
    assert ModelVersion.objects.get().artifact_size is None


def test_a_folder_that_contains_itself_ends(bring: Callable[..., Result]) -> None:
    endless = [{"path": "x", "is_dir": True}]
    folders = {"root" + "/x" * depth: endless for depth in range(300)}
    with hostile_server(folders, {}) as source:
        told = json.loads(bring(source, "--json").stdout)
    assert "the limit is 500" in told["without_files"][0]
