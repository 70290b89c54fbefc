"""MLflow's own clients and server, run by the Python of a separate environment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.registry.accounts.tokens import create_token, service_account
from obeya.tokens import Scope
from tests.packaging.forks import Forks

CLIENTS = Path(__file__).parent / "clients"
# Far longer than a start takes: only a server that never starts is stopped.
SECONDS = 240
# Variables of every MLflow process.
MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
    # The data sets are tiny, so one thread is enough.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# Modules that the scripts import.
IMPORTED = [
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "sklearn.datasets",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
]
NEW_STORE = "from mlflow import MlflowClient\nMlflowClient().search_experiments()\n"

RunClient = Callable[..., str]


def _base_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | MLFLOW


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """Return the Python of an environment that has mlflow."""
    python = os.environ.get("OBEYA_MLFLOW_PYTHON", "")
    if not python or not Path(python).is_file():
        pytest.fail(
            "These tests run MLflow's own clients. Run them by `make test-sqlite "
            "ARGS=tests/mlflow`, which creates their environment, or set OBEYA_MLFLOW_PYTHON to "
            "the Python of one.",
            pytrace=False,
        )
    return python


@pytest.fixture(scope="session")
def client_forks(mlflow_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return the process that runs client scripts; it imports MLflow once for all of them."""
    home = str(tmp_path_factory.mktemp("client-forks"))
    forks = Forks(mlflow_python, IMPORTED, environment=_base_environment() | {"HOME": home})
    yield forks
    forks.stop()


@pytest.fixture(scope="session")
def empty_store(client_forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty SQLite tracking store to copy: creating one takes two seconds."""
    home = tmp_path_factory.mktemp("empty-store")
    environment = _base_environment() | {
        "HOME": str(home),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/runs.db",
    }
    done = client_forks.run("code", NEW_STORE, environment=environment, cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "runs.db"


def copy_store(empty_store: Path, path: Path, artifacts: str) -> None:
    """Copy the empty store; the runs of its default experiment store files below `artifacts`."""
    shutil.copy(empty_store, path)
    with closing(sqlite3.connect(path)) as store, store:
        changed = store.execute("UPDATE experiments SET artifact_location = ?", [artifacts])
        assert changed.rowcount == 1


@pytest.fixture
def token(db: None) -> str:
    """Create a service token with every scope."""
    at = timezone.now()
    user = service_account(username="trainer", scopes=list(Scope), actor=SYSTEM, at=at)
    return create_token(
        user=user,
        name="a client",
        scopes=list(Scope),
        allow_service_approval=True,
        actor=SYSTEM,
        at=at,
    )[1]


@pytest.fixture
def mlflow_environment(
    live_server: Any, token: str, empty_store: Path, tmp_path: Path
) -> dict[str, str]:
    """Return a client's variables: our registry, a separate tracking store, the token."""
    copy_store(empty_store, tmp_path / "runs.db", str(tmp_path / "mlruns" / "0"))
    return _base_environment() | {
        "HOME": str(tmp_path),
        "MLFLOW_REGISTRY_URI": live_server.url,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/runs.db",
        "MLFLOW_TRACKING_TOKEN": token,
    }


@pytest.fixture
def run_client(
    client_forks: Forks, mlflow_environment: dict[str, str], tmp_path: Path
) -> RunClient:
    """Run a script with MLflow's Python and return its output; fail unless it succeeds."""

    def run(script: str | Path, *args: str, cwd: Path = tmp_path, **environment: str) -> str:
        done = client_forks.run(
            "file", CLIENTS / script, *args, environment=mlflow_environment | environment, cwd=cwd
        )
        assert done.returncode == 0, f"{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}"
        return done.stdout

    return run


class RealServer(NamedTuple):
    """A running `mlflow server`."""

    address: str
    artifacts: Path


@pytest.fixture(scope="session")
def running_mlflow_server(
    mlflow_python: str, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealServer]:
    """Run a real `mlflow server` to which its clients send the files of runs."""
    home = tmp_path_factory.mktemp("mlflow-server")
    copy_store(empty_store, home / "server.db", "mlflow-artifacts:/0")
    with running_server(mlflow_python, home) as server:
        yield server


@pytest.fixture
def mlflow_server(running_mlflow_server: RealServer) -> RealServer:
    """Return a real `mlflow server` without models; it can contain runs of other tests."""
    api = f"{running_mlflow_server.address}/api/2.0/mlflow/registered-models"
    found = urllib3.request("GET", f"{api}/search", fields={"max_results": "1000"}).json()
    for model in found.get("registered_models", []):
        gone = urllib3.request("DELETE", f"{api}/delete", json={"name": model["name"]})
        assert gone.status == 200, gone.data
    return running_mlflow_server


@contextmanager
def running_server(mlflow_python: str, home: Path) -> Iterator[RealServer]:
    """Run `mlflow server` on the store in `home`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log, artifacts = home / "server.log", home / "artifacts"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                str(Path(mlflow_python).parent / "mlflow"),
                "server",
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{home}/server.db"),
                *("--artifacts-destination", str(artifacts)),
            ],
            env=MLFLOW
            | {
                "PATH": f"{Path(mlflow_python).parent}:{os.environ['PATH']}",
                "HOME": str(home),
                # Would start several processes that import MLflow, which no test needs.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            cwd=home,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + SECONDS
        while not _answers(address):
            assert server.poll() is None, log.read_text()[-4_000:]
            assert time.monotonic() < deadline, log.read_text()[-4_000:]
            time.sleep(0.1)
        yield RealServer(address, artifacts)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(address: str) -> bool:
    try:
        return urllib3.request("GET", f"{address}/health", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False
