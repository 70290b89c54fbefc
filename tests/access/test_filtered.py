"""A token that is limited to some models learns nothing about the others.

Every function that checks a permission “anywhere”, for no model in particular, has to filter what
follows by model. They are found in the code, so that a new one fails until it is listed here.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import boards
from boards.access.actors import SYSTEM, Actor
from boards.models import ModelVersion, PolicyCheck, User, Waiver
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.artifacts.run_files import store_run_file
from boards.registry.database import DatabaseRegistry
from boards.registry.transitions.checks import record_policy_check
from obeya import Comparison, PromotionPolicy, Stage
from obeya.aliases.governed import GovernedAlias
from obeya.artifacts.manifest import FileEntry
from obeya.records import Channel
from obeya.tokens import Grant, Scope
from tests.offenders import every_case

pytestmark = pytest.mark.django_db

BOARDS = Path(boards.__file__).parent
CHECKS_ANYWHERE = {"require_anywhere", "may", "may_everywhere", "reaches"}
OURS, THEIRS = "ours", "secret"
FILES = "/api/2.0/mlflow-artifacts/artifacts"

# What follows each check, for a token that is limited to the models `ours-*`: the address of a
# list that contains ours and not theirs, of something of theirs that is refused, or the reason why
# there is nothing to filter.
LISTS = {
    "api/routes/audit.py list_events": "/api/v1/audit/events",
    "api/routes/catalog.py list_governed_aliases": "/api/v1/governed-aliases",
    "api/routes/catalog.py list_models": "/api/v1/models",
    "api/routes/policies.py list_policies": "/api/v1/policies",
    "api/routes/reviews.py _requests": "/api/v1/requests",
    "api/routes/tokens.py get_me": "/api/v1/me",
    "api/routes/versions.py list_versions": "/api/v1/versions",
    "mlflow_protocol/endpoints/artifacts.py list_files": FILES,
    "mlflow_protocol/endpoints/model_versions.py search": "/api/2.0/mlflow/model-versions/search",
    "mlflow_protocol/endpoints/registered_models.py search": (
        "/api/2.0/mlflow/registered-models/search"
    ),
}
REFUSED = {
    "api/routes/artifacts.py find_blob": "/api/v1/blobs/{sha256}",
    "api/routes/comparisons.py compare": "/api/v1/comparisons?v=ours-a:1&v=secret-b:1",
    "api/routes/transitions.py get_check": "/api/v1/checks/{check}",
    "mlflow_protocol/endpoints/artifacts.py file": f"{FILES}/secret/run/weights",
    "mlflow_protocol/endpoints/artifacts.py _version": f"{FILES}/versions/{{model}}/1/weights",
    "queries/facts/files/run_files.py _reached": f"{FILES}/secret/run/weights",
}
WRITES = {
    "registry/artifacts/artifacts.py named_content",
    "registry/artifacts/run_files.py _stored_by_others",
    "registry/artifacts/run_files.py delete_run_files",
    "registry/artifacts/run_files.py store_run_file",
    "registry/commit.py check_model_name",
    "registry/policies/waivers.py revoke_waiver",
}
IN_PYTHON = {"registry/database.py get_by_stage"}
NOTHING_TO_FILTER = {
    "api/routes/operations.py list_site_limits": "default limits apply to every model",
    "api/routes/policies.py get_site_policy": "default policies apply to every model",
    "api/routes/policies.py list_metric_definitions": "definitions apply to every model",
    "registry/database.py get_governed_aliases": "default governed aliases apply to every model",
    "registry/accounts/tokens.py revoke_token": "requires access to the whole registry before",
    "registry/artifacts/artifacts.py store_blob": "returns what was sent",
    "registry/artifacts/pieces.py store_piece": "returns what was sent; pages have no token",
}


def checks_anywhere() -> Iterator[str]:
    """Yield the module and name of each function that checks a permission for no model."""
    for path in sorted(BOARDS.rglob("*.py")):
        module = path.relative_to(BOARDS).as_posix()
        if module == "access/actors.py":
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.Attribute) and node.attr in CHECKS_ANYWHERE
                for node in ast.walk(function)
            ):
                yield f"{module} {function.name}"


def test_every_check_for_no_model_is_listed() -> None:
    listed = [*LISTS, *REFUSED, *WRITES, *IN_PYTHON, *NOTHING_TO_FILTER]
    assert sorted(listed) == sorted(checks_anywhere())


@pytest.fixture
def ada() -> User:
    """Return an administrator, who has filled one model of ours and one of theirs."""
    at = timezone.now()
    ada = create_user(username="ada", group="administrator", actor=SYSTEM, at=at)
    for name in (f"{OURS}-a", f"{THEIRS}-b"):
        word = name.partition("-")[0]
        registry = DatabaseRegistry(actor=ada)
        registry.register_model(
            name,
            1,
            {f"{word}_metric": 0.5},
            f"s3://{word}/weights",
            label=f"{word}1",
            tags={f"{word}-key": word},
            description=f"A {word} description",
            source_run=f"{word}-run",
        )
        registry.set_alias(name, f"{word}-alias", 1)
        registry.set_governed_alias(GovernedAlias(f"{word}-governed", Stage.STAGING), name)
        limited = Actor(ada, Channel.MLFLOW, grant=Grant(frozenset(Scope), (f"{word}-*",)))
        content = f"{word} content".encode()
        path = f"{word}/run/weights"
        store_run_file(path=path, body=BytesIO(content), size=None, actor=limited, at=at)
        blob = store_blob(body=BytesIO(content), size=None, actor=limited, at=at)
        files = [FileEntry("weights", blob.sha256)]
        set_artifact(name=name, version=1, files=files, actor=limited, at=at)
        policy = PromotionPolicy(Stage.STAGING).require_metric(
            f"{word}_metric", Comparison.GTE, 0.9
        )
        registry.set_policy(policy, name)
        record_policy_check(name=name, version=1, actor=limited, at=at)
        registry.request_transition(name, 1, reason=f"{word} reason")
        until = at.replace(year=at.year + 1)
        line = f"{word}_metric ≥ 0.9"
        registry.waive(name, 1, [line], reason=f"{word} waiver", expires_at=until)
    return ada


@pytest.fixture
def limited(ada: User) -> Client:
    """Return a client whose token has every scope, for the models `ours-*`."""
    _, token = create_token(
        user=ada,
        name="ours",
        scopes=list(Scope),
        model_globs=[f"{OURS}-*"],
        actor=SYSTEM,
        at=timezone.now(),
    )
    return Client(headers={"Authorization": f"Bearer {token}"})


def theirs() -> dict[str, str]:
    """Return ids and a digest of theirs, which someone else could have passed on."""
    version = ModelVersion.objects.select_related("model").get(model__name=f"{THEIRS}-b")
    return {
        "sha256": hashlib.sha256(b"secret content").hexdigest(),
        "check": str(PolicyCheck.objects.filter(version=version).latest("pk").uid),
        "model": str(version.model.uid),
        "waiver": str(Waiver.objects.get(version=version).uid),
    }


def test_lists_contain_ours_and_nothing_of_theirs(limited: Client) -> None:
    with every_case() as case:
        for caller, address in LISTS.items():
            with case(caller):
                answer = limited.get(address)
                assert answer.status_code == 200
                text = answer.content.decode()
                assert OURS in text
                assert THEIRS not in text


def test_what_is_theirs_is_refused_without_its_name(limited: Client) -> None:
    known = theirs()
    with every_case() as case:
        for caller, address in REFUSED.items():
            with case(caller):
                answer = limited.get(address.format(**known))
                assert answer.status_code in (403, 404)
                assert THEIRS not in answer.content.decode().replace(_named_in(address), "")


def _named_in(address: str) -> str:
    """Return what the request itself says about theirs: its response can repeat that."""
    return f"{THEIRS}-b" if f"{THEIRS}-b" in address else f"{THEIRS}/run/weights"


def test_writes_reach_nothing_of_theirs(limited: Client) -> None:
    known = theirs()
    before = _state()
    kind = "application/json"
    files = {"files": [{"path": "weights", "sha256": known["sha256"]}]}
    answers: dict[str, Callable[[], Any]] = {
        "a file by its digest": lambda: limited.put(
            f"/api/v1/models/{OURS}-a/versions/1/artifact", files, content_type=kind
        ),
        "a run's file, replaced": lambda: limited.put(f"{FILES}/{THEIRS}/run/weights", b"x"),
        "a run's file, deleted": lambda: limited.delete(f"{FILES}/{THEIRS}/run/weights"),
        "a run's folder, deleted": lambda: limited.delete(f"{FILES}/{THEIRS}"),
        "a waiver": lambda: limited.post(
            f"/api/v1/waivers/{known['waiver']}/revocation", {}, content_type=kind
        ),
    }
    with every_case() as case:
        for name, send in answers.items():
            with case(name):
                answer = send()
                assert answer.status_code in (403, 404)
                assert f"{THEIRS}-b" not in answer.content.decode()
    assert _state() == before


def _state() -> list[Any]:
    blobs = ModelVersion.objects.order_by("pk").values_list("files__blob__sha256", flat=True)
    return [*blobs, *Waiver.objects.order_by("pk").values_list("revoked_at", flat=True)]


def test_the_registry_in_python_is_filtered(ada: User) -> None:
    grant = Grant(frozenset(Scope), (f"{OURS}-*",))
    registry = DatabaseRegistry(actor=Actor(ada, Channel.PYTHON, grant=grant))
    found = registry.get_by_stage(Stage.DEVELOPMENT)
    assert {version.model for version in found} == {f"{OURS}-a"}
