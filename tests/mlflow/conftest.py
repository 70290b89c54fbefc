"""MLflow's own clients, run by the Python of an environment of theirs against our live server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.utils import timezone

from boards.registry import SYSTEM, make_token, service_account
from obeya.tokens import Scope

CLIENTS = Path(__file__).parent / "clients"
# Far above what they take: a client that waits for an answer that never comes is stopped.
SECONDS = 240

RunClient = Callable[..., str]


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """The Python of an environment that has mlflow."""
    python = os.environ.get("OBEYA_MLFLOW_PYTHON", "")
    if not python or not Path(python).is_file():
        pytest.fail(
            "These tests run MLflow's own clients. Run them by `make test-sqlite "
            "ARGS=tests/mlflow`, which makes their environment, or set OBEYA_MLFLOW_PYTHON to the "
            "Python of one.",
            pytrace=False,
        )
    return python


@pytest.fixture
def token(db: None) -> str:
    """A token of a service that may do everything."""
    at = timezone.now()
    user = service_account(username="trainer", scopes=list(Scope), actor=SYSTEM, at=at)
    return make_token(user=user, name="a client", scopes=list(Scope), actor=SYSTEM, at=at)[1]


@pytest.fixture
def mlflow_environment(live_server: Any, token: str, tmp_path: Path) -> dict[str, str]:
    """What a client of MLflow is told: our registry, a tracking store of its own, and the token."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {
        "HOME": str(tmp_path),
        "MLFLOW_REGISTRY_URI": live_server.url,
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/runs.db",
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONWARNINGS": "ignore",
    }


@pytest.fixture
def run_client(mlflow_python: str, mlflow_environment: dict[str, str], tmp_path: Path) -> RunClient:
    """Run a script with MLflow's Python, and give what it wrote; it has to end well."""

    def run(script: str | Path, *args: str, **environment: str) -> str:
        done = subprocess.run(
            [mlflow_python, str(CLIENTS / script), *args],
            env=mlflow_environment | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}"
        return done.stdout

    return run


@pytest.fixture
def mlflow_server(mlflow_python: str, tmp_path: Path) -> Iterator[str]:
    """The address of a real `mlflow server`; its clients write the files of runs themselves."""
    with running_server(
        mlflow_python, tmp_path, "--default-artifact-root", str(tmp_path / "artifacts")
    ) as address:
        yield address


@pytest.fixture
def mlflow_file_server(mlflow_python: str, tmp_path: Path) -> Iterator[str]:
    """The same, but its clients send it the files of runs."""
    with running_server(
        mlflow_python, tmp_path, "--artifacts-destination", str(tmp_path / "artifacts")
    ) as address:
        yield address


@contextmanager
def running_server(mlflow_python: str, tmp_path: Path, *options: str) -> Iterator[str]:
    """Run a real `mlflow server` with a database of its own; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                str(Path(mlflow_python).parent / "mlflow"),
                "server",
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{tmp_path}/server.db"),
                *options,
            ],
            env={
                "PATH": f"{Path(mlflow_python).parent}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
                "PYTHONWARNINGS": "ignore",
            },
            cwd=tmp_path,
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
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(address: str) -> bool:
    try:
        return urllib3.request("GET", f"{address}/health", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False
