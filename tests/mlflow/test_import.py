"""Importing a real MLflow server with its history, without duplicates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner, Result
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, ModelVersion, RegisteredModel, User
from boards.queries.audit.as_of import board_as_of
from boards.queries.search.board_filter import BoardFilter
from boards.registry.accounts.tokens import create_token
from boards.registry.database import DatabaseRegistry
from boards.registry.verification import verify_new_events
from obeya import Comparison, PromotionPolicy, Stage
from obeya.cli import main
from obeya.records import Action, Channel
from obeya.tokens import Scope
from obeya.transfer.mlflow_server import MlflowServer
from tests.differing_rows import differing_rows

pytestmark = pytest.mark.django_db(transaction=True)

Import = Callable[..., Result]
RunClient = Callable[..., str]


@pytest.fixture
def filled(mlflow_server: Any, run_client: RunClient) -> str:
    source: str = mlflow_server.address
    run_client("fill_server.py", MLFLOW_TRACKING_URI=source, MLFLOW_REGISTRY_URI=source)
    return source


@pytest.fixture
def bring(live_server: Any, token: str) -> Import:
    def run(*args: str, **env: str) -> Result:
        settings = {"OBEYA_URL": live_server.url, "OBEYA_TOKEN": token}
        settings |= {"MLFLOW_TRACKING_TOKEN": "", "MLFLOW_TRACKING_USERNAME": "", **env}
        return CliRunner().invoke(main, ["import", "mlflow", *args], env=settings)

    return run


def state() -> list[Any]:
    """Return everything that an import could have changed."""
    models = RegisteredModel.objects.order_by("pk")
    return list(models.values_list("name", "chain_hash", "champion__number", "last_number"))


def test_a_registry_is_imported_once_with_its_history(
    bring: Import, filled: str, run_client: RunClient, client: Client
) -> None:
    strict = PromotionPolicy(Stage.PRODUCTION).require_metric("auc", Comparison.GTE, 0.99)
    DatabaseRegistry(actor=None).set_policy(strict)
    before = timezone.now()

    trial = bring("--tracking-uri", filled, "--dry-run")
    assert (trial.exit_code, RegisteredModel.objects.count()) == (0, 0)
    assert "5 models and 231 versions read" in trial.stdout

    done = json.loads(bring("--tracking-uri", filled, "--json").stdout)

    assert (done["models"], done["new_models"]) == (5, 4)
    assert (done["versions"], done["imported"], done["existing"]) == (231, 231, 0)
    assert ["U+200B ZERO WIDTH SPACE" in sentence for sentence in done["refused"]] == [True]
    assert done["kept_aliases"] == done["unread_runs"] == done["similar_names"] == []
    assert done["clamped_times"] == []
    registry = DatabaseRegistry(actor=None)
    third = registry.get_version("churn", 3)
    assert (third.stage, third.aliases) == (Stage.PRODUCTION, ("champion",))
    assert third.artifact_path == "s3://bucket/churn/3"
    assert third.tags == {"number": "3"}
    assert registry.get_version("churn", 14).description == "Version 14"
    assert registry.get_version("churn", 51).metrics["auc"] == 0.051
    assert registry.get_version("churn", 1).stage is Stage.ARCHIVED
    assert {v.version for v in registry.get_by_stage(Stage.PRODUCTION, "churn")} == {2, 3}
    other = registry.get_version("Modèle 模型 o'Hara", 1)
    assert other.metrics == {
        "auc": 0.75,
        "val/f1": 0.5,
    }
    assert other.tags == {"mlflow.run_link": "https://runs.example.org/7"}
    copy = registry.get_version("copies", 1)
    assert copy.artifact_path == "s3://bucket/churn/3"
    assert copy.tags["mlflow.source"] == "models:/churn/3"
    churn = RegisteredModel.objects.get(name="churn")
    assert churn.description == "Who *leaves*"
    assert dict(churn.tags.values_list("key", "value")) == {"team": "crm", "größe": "5 MB"}
    assert churn.champion is not None
    assert churn.champion.number == 3

    _check_history(filled, before)
    _check_consistency()

    was = state()
    again = json.loads(bring("--tracking-uri", filled, "--json").stdout)
    assert (again["new_models"], again["imported"], again["existing"]) == (0, 0, 231)
    assert state() == was

    registry.transition_stage("churn", 4, Stage.ARCHIVED)
    run_client("fill_server.py", "again", MLFLOW_TRACKING_URI=filled, MLFLOW_REGISTRY_URI=filled)
    later = json.loads(bring("--tracking-uri", filled, "--json").stdout)
    assert (later["new_models"], later["imported"], later["existing"]) == (1, 1, 231)
    assert registry.get_version("churn", 4).stage is Stage.ARCHIVED
    assert registry.get_version("churn", 231).stage is Stage.PRODUCTION
    # It follows Production here too.
    assert later["kept_aliases"] == []
    assert registry.get_version("churn", 231).aliases == ("champion",)
    _check_consistency()

    client.force_login(
        User.objects.get(username="trainer"), "django.contrib.auth.backends.ModelBackend"
    )
    page = client.get("/", {"q": "model = churn"}).content.decode()
    assert "churn" in page


def _check_history(source: str, before: Any) -> None:
    told = {version.number: version for version in MlflowServer(source).versions("churn")}
    row = ModelVersion.objects.get(model__name="churn", number=3)
    assert row.created_at == told[3].created_at
    assert row.stage_entered_at == told[3].updated_at
    assert row.created_at < before
    events = AuditEvent.objects.filter(model__isnull=False)
    assert set(events.values_list("channel", flat=True)) == {Channel.IMPORT.value}
    moved = events.get(version=row, action=Action.STAGE_TRANSITIONED.value)
    assert moved.occurred_at == told[3].updated_at
    assert moved.recorded_at > before
    assert json.loads(moved.canonical_text)["data"]["imported"]["from"] == source


def _check_consistency() -> None:
    assert list(differing_rows()) == []
    assert verify_new_events(actor=SYSTEM, at=timezone.now()).broken == []
    past = board_as_of(timezone.now(), BoardFilter())
    counted = {column.stage: column.count for column in past.columns}
    for stage in Stage:
        there = ModelVersion.objects.filter(stage=stage.value, deleted_at=None).count()
        assert counted[stage] == there


def test_a_time_in_the_future_is_replaced_and_reported(
    bring: Import, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of this server is behind that of the other one."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(2024, 1, 1, tzinfo=UTC))
    done = bring("--tracking-uri", filled, "--model", "copies")
    assert done.exit_code == 0, done.output
    assert "time: copies: created_at of v1 is in the future" in done.output


def test_an_interrupted_import_resumes(
    bring: Import, filled: str, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("obeya.cli.mlflow_import.VERSIONS_AT_ONCE_MAX", 100)
    with failing_proxy(live_server.url, after=3) as line:
        broken = bring("--tracking-uri", filled, "--url", line)
    assert broken.exit_code == 6
    there = ModelVersion.objects.count()
    assert ModelVersion.objects.filter(model__name="churn").count() == 200
    _check_consistency()

    rest = json.loads(bring("--tracking-uri", filled, "--json").stdout)
    assert (rest["imported"], rest["existing"]) == (231 - there, there)
    assert len(rest["refused"]) == 1
    assert ModelVersion.objects.count() == 231
    _check_consistency()


@contextmanager
def failing_proxy(target: str, *, after: int) -> Iterator[str]:
    """Run a proxy to `target` that drops the connection after that many imports."""

    class Line(BaseHTTPRequestHandler):
        passed = 0

        def do_POST(self) -> None:
            if Line.passed == after:
                self.close_connection = True
                return
            Line.passed += 1
            answer = urllib3.request(
                "POST",
                target + self.path,
                body=self.rfile.read(int(self.headers["Content-Length"])),
                headers={name: self.headers[name] for name in ("Authorization", "Content-Type")},
            )
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Line) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_invalid_source_is_reported(bring: Import, live_server: Any) -> None:
    nothing = bring("--tracking-uri", "http://127.0.0.1:9")
    assert nothing.exit_code == 6
    assert "cannot be reached" in nothing.output
    files = bring("--tracking-uri", "sqlite:///mlflow.db")
    assert files.exit_code == 2
    assert "mlflow server --backend-store-uri" in files.output
    locked = bring("--tracking-uri", live_server.url)
    assert locked.exit_code == 5
    assert "MLFLOW_TRACKING_TOKEN" in locked.output


def test_importing_requires_the_admin_permission(
    bring: Import, mlflow_server: Any, token: str
) -> None:
    trainer = User.objects.get(username="trainer")
    writer = create_token(
        user=trainer, name="w", scopes=[Scope.WRITE], actor=SYSTEM, at=timezone.now()
    )[1]
    DatabaseRegistry(actor=None)
    done = bring("--tracking-uri", mlflow_server.address, "--model", "nobody", OBEYA_TOKEN=writer)
    assert done.exit_code == 1
    assert "nobody" in done.output


def test_our_own_protocol_can_be_imported(bring: Import, live_server: Any, token: str) -> None:
    DatabaseRegistry(actor=None).register_model("ours", metrics={"auc": 0.5})
    trial = bring("--tracking-uri", live_server.url, "--dry-run", MLFLOW_TRACKING_TOKEN=token)
    assert "1 model and 1 version read" in trial.stdout
