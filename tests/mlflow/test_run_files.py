"""Files of runs: who reaches them, and the events of their changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.models import ArtifactFile, AuditEvent, ModelVersion, RunFile, User
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya.records import Channel
from tests.offenders import every_case

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

FILES = "/api/2.0/mlflow-artifacts/artifacts"
SITE = f"http://testserver{FILES}"
JSON = "application/json"


class Caller:
    """An MLflow client with a token."""

    def __init__(self, user: User, *models: str, scopes: tuple[str, ...] = ("write",)) -> None:
        _, token = create_token(
            user=user,
            name="a test",
            scopes=scopes,
            model_globs=models,
            actor=Actor(user, Channel.PAGE),
            at=timezone.now(),
        )
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def put(self, path: str, content: bytes = b"x") -> int:
        answer = self.client.put(f"{FILES}/{path}", content, content_type="text/plain")
        return int(answer.status_code)

    def delete(self, path: str) -> int:
        return int(self.client.delete(f"{FILES}/{path}").status_code)

    def get(self, path: str) -> bytes | int:
        answer = self.client.get(f"{FILES}/{path}")
        return answer.getvalue() if answer.status_code == 200 else answer.status_code

    def listed(self, folder: str = "") -> list[str]:
        found = self.client.get(FILES, {"path": folder} if folder else {}).json()
        return [entry["path"] for entry in found["files"]]

    def register(self, model: str, source: str) -> ModelVersion:
        answer = self.client.post(
            "/api/2.0/mlflow/model-versions/create",
            {"name": model, "source": source},
            content_type=JSON,
        )
        assert answer.status_code == 200, answer.content
        number = answer.json()["model_version"]["version"]
        return ModelVersion.objects.get(model__name=model, number=number)

    def register_by_digest(self, model: str, content: bytes) -> int:
        """Register a version with a file that is named by its digest; return the status."""
        number = self.client.post(f"/api/v1/models/{model}/versions", {}, content_type=JSON).json()[
            "version"
        ]
        files = [{"path": "a", "sha256": hashlib.sha256(content).hexdigest()}]
        answer = self.client.put(
            f"/api/v1/models/{model}/versions/{number}/artifact",
            {"files": files},
            content_type=JSON,
        )
        return int(answer.status_code)


Person = Callable[[str], User]


@pytest.fixture
def person(db: None) -> Person:
    def made(name: str, group: str = "contributor") -> User:
        return create_user(username=name, group=group, actor=SYSTEM, at=timezone.now())

    return made


@pytest.fixture(autouse=True)
def models(db: None) -> None:
    for name in ("fraud-a", "spam-a"):
        DatabaseRegistry(actor=None).register_model(name)


def test_files_of_a_run_are_reached_by_who_stored_them(person: Any) -> None:
    carol, dave = person("carol"), person("dave")
    whole, fraud, spam = Caller(carol), Caller(carol, "fraud-*"), Caller(carol, "spam-*")
    assert whole.put("e/whole/a", b"whole") == 200
    assert fraud.put("e/fraud/a", b"fraud") == 200
    administrator = person("ada", "administrator")
    callers = {
        "the token without limits": (whole, {"whole", "fraud"}),
        "the token with the limit": (fraud, {"fraud"}),
        "another token with the same limit": (Caller(carol, "fraud-*"), {"fraud"}),
        "a token with another limit": (spam, set()),
        "another account": (Caller(dave), set()),
        "an administrator": (Caller(administrator, scopes=("admin",)), {"whole", "fraud"}),
        "an administrator's token to read": (Caller(administrator, scopes=("read",)), set()),
        "an administrator's limited token": (
            Caller(administrator, "fraud-*", scopes=("admin",)),
            set(),
        ),
    }
    with every_case() as case:
        for name, (caller, reached) in callers.items():
            with case(name):
                assert set(caller.listed("e")) == reached
                assert caller.listed() == (["e"] if reached else [])
                for run in ("whole", "fraud"):
                    assert caller.get(f"e/{run}/a") == (run.encode() if run in reached else 404)
                    assert caller.listed(f"e/{run}") == (["a"] if run in reached else [])


def test_files_of_a_run_are_replaced_and_deleted_by_who_stored_them(person: Any) -> None:
    carol, dave = person("carol"), person("dave")
    fraud = Caller(carol, "fraud-*")
    assert fraud.put("r/a", b"1") == 200
    others = [
        Caller(dave),
        Caller(carol, "spam-*"),
        Caller(person("ada", "administrator"), "fraud-*", scopes=("admin", "write")),
    ]
    for other in others:
        # To delete what one cannot read is like deleting what does not exist.
        found = [other.put("r/a", b"2"), *map(other.delete, ("r", "r/a", "r/b", "s"))]
        assert found == [403, 404, 404, 404, 404]
    assert Caller(carol, scopes=("read",)).delete("r/a") == 403
    assert [fraud.put(path) for path in ("r", "r/a/b")] == [400, 400]
    assert fraud.get("r/a") == b"1"
    administrator = User.objects.get(username="ada")
    assert Caller(administrator, scopes=("admin", "write")).delete("r") == 200
    assert not RunFile.objects.exists()


def test_a_version_makes_the_files_that_it_got_from_a_run_visible(person: Any) -> None:
    carol, dave = person("carol"), person("dave")
    trainer, reader = Caller(carol), Caller(dave, "fraud-*", scopes=("read",))
    for name in ("model/weights", "model/b c/conda", "plot"):
        assert trainer.put(f"e/run/{name}", name.encode()) == 200
    assert trainer.put("e/other/model/weights", b"model/weights") == 200
    version = trainer.register("fraud-a", f"{SITE}/e/run/model/")
    assert reader.listed("e/run/model") == ["b c", "weights"]
    assert reader.get("e/run/model/b%20c/conda") == b"model/b c/conda"
    assert reader.get(f"versions/{version.model.uid}/{version.number}/weights") == b"model/weights"
    # Neither the rest of the run, nor the same content elsewhere, nor for other models.
    assert [reader.get(f"e/{path}") for path in ("run/plot", "other/model/weights")] == [404, 404]
    assert reader.listed("e/run") == []
    elsewhere = Caller(dave, "spam-*", scopes=("read",))
    assert elsewhere.listed("e/run/model") == []
    assert elsewhere.get("e/run/model/weights") == 404
    # What was replaced since is not what the version shows.
    assert trainer.put("e/run/model/weights", b"newer") == 200
    assert reader.get("e/run/model/weights") == 404
    DatabaseRegistry(actor=None).delete_version("fraud-a", version.number)
    assert reader.listed("e/run/model") == []


def test_a_version_can_only_get_files_that_its_creator_reaches(person: Any) -> None:
    carol, dave = person("carol"), person("dave")
    Caller(carol).put("e/run/a", b"weights")
    Caller(carol, "spam-*").put("e/spam/a", b"spam")
    for caller in (Caller(dave), Caller(carol, "fraud-*")):
        for run in ("run", "spam"):
            version = caller.register("fraud-a", f"{SITE}/e/{run}")
            assert version.artifact_size is None
            # It refers to the folder, but does not have its files.
            assert caller.get(f"e/{run}/a") == 404
        assert caller.register_by_digest("fraud-a", b"weights") == 404
        assert caller.register_by_digest("fraud-a", b"spam") == 404
    assert not ArtifactFile.objects.exists()
    assert Caller(carol).register("fraud-a", f"{SITE}/e/spam").artifact_size == 4
    assert Caller(carol, "spam-*").register_by_digest("spam-a", b"spam") == 200
    sent = hashlib.sha256(b"weights").hexdigest()
    for caller, status in ((Caller(carol), 204), (Caller(carol, "fraud-*"), 404)):
        assert caller.client.get(f"/api/v1/blobs/{sent}").status_code == status


def test_no_one_can_replace_the_files_of_someone_elses_logged_model(person: Any) -> None:
    carol, dave = person("carol"), person("dave")
    Caller(carol).put("e/models/m-1a/artifacts/a", b"carol's")
    # Sorted before the other.
    Caller(dave).put("0/models/m-1a/artifacts/a", b"dave's")
    version = Caller(carol).register("fraud-a", "models:/m-1a")
    reader = Caller(dave, scopes=("read",))
    assert reader.get(f"versions/{version.model.uid}/{version.number}/a") == b"carol's"
    assert reader.get("e/models/m-1a/artifacts/a") == b"carol's"


def test_changes_of_the_files_of_runs_are_events(person: Any) -> None:
    carol = person("carol")
    limited = Caller(carol, "fraud-*")
    before = AuditEvent.objects.latest("pk").pk
    for content in (b"1", b"1", b"22"):
        assert limited.put("r/a", content) == 200
    assert limited.put("r/b", b"") == 200
    assert limited.put("r", b"") == 400
    assert limited.delete("r/missing") == 404
    assert limited.delete("r") == 200
    changes = AuditEvent.objects.filter(pk__gt=before, action__startswith="run_file.")
    events = changes.order_by("pk")
    found = [(e.action, e.texts.get().text, e.data["size"]) for e in events]
    assert found == [
        ("run_file.stored", "r/a", 1),
        ("run_file.stored", "r/a", 2),
        ("run_file.stored", "r/b", 0),
        ("run_file.deleted", "r/a", 2),
        ("run_file.deleted", "r/b", 0),
    ]
    first, second, *_, deleted = events
    digest = hashlib.sha256(b"1").hexdigest()
    assert first.data["old"] is None
    assert second.data["old"] == {"sha256": digest, "size": 1}
    assert first.data["models_digest"]
    assert (first.model, first.actor, first.channel) == (None, carol, "mlflow")
    assert "r/a" not in first.canonical_text
    assert deleted.operation is not None
