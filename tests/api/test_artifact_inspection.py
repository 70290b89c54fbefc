"""Policies about the content of files, and the repeated inspection of stored files."""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.files import blob_store
from boards.files.stored_content import DamagedContent
from boards.models import AuditEvent, Blob, ModelVersion, PolicyCheck, User
from boards.queries.facts.files.file_findings import findings_digest
from boards.queries.verification.verification import verify_chains
from boards.registry.artifacts import inspection as again
from boards.registry.artifacts.artifacts import store_blob
from boards.registry.artifacts.damage import mark_damaged
from boards.registry.artifacts.inspection import (
    forget_inspections,
    inspect_version,
    outdated_versions,
)
from obeya.artifacts.inspection import INSPECTOR
from obeya.artifacts.records import Damage
from obeya.records import Action
from tests import model_files as files
from tests.api.conftest import Program
from tests.model_files import EXPECTED, UNTRUSTED
from tests.offenders import every_case
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db
GGUF = files.gguf({"tokenizer.chat_template": "{{ x }}"})


def register(api: Program, contents: dict[str, bytes]) -> str:
    """Register a version with files, and return its address."""
    number = api.post("/models/resnet50/versions", {}).json()["version"]
    listed = []
    for path, content in contents.items():
        sha256 = hashlib.sha256(content).hexdigest()
        assert api.put(f"/blobs/{sha256}", content).status_code == 200
        listed.append({"path": path, "sha256": sha256})
    address = f"/models/resnet50/versions/{number}"
    assert api.put(f"{address}/artifact", {"files": listed}).status_code == 200
    return address


def register_stored(api: Program, sha256: str) -> str:
    """Register a version with content that is stored already, and return its address."""
    number = api.post("/models/resnet50/versions", {}).json()["version"]
    address = f"/models/resnet50/versions/{number}"
    listed = [{"path": "again.txt", "sha256": sha256}]
    assert api.put(f"{address}/artifact", {"files": listed}).status_code == 200
    return address


def require(api: Program, *requirements: dict[str, Any]) -> None:
    answer = api.put("/policies/staging", {"requirements": list(requirements)})
    assert answer.status_code in (200, 201), answer.content


def promote(api: Program, address: str) -> Any:
    return api.post(f"{address}/transitions", {"to_stage": "staging"})


def warnings_of(api: Program, address: str) -> list[str]:
    found: list[str] = api.get(address).json()["artifact_warnings"]
    return found


def inspect_again() -> list[Any]:
    at = timezone.now()
    return [inspect_version(pk=pk, actor=SYSTEM, at=at) for pk in outdated_versions()]


def test_each_untrusted_file_is_named_and_its_promotion_refused(
    api: Program, alice: User, client: Client
) -> None:
    require(api, {"no_code": True})
    client.force_login(alice)
    with every_case() as case:
        for name, expected in EXPECTED.items():
            with case(name):
                address = register(api, {name: (UNTRUSTED / name).read_bytes()})
                warnings = api.get(address).json()["artifact_warnings"]
                assert any(w.startswith(name) and expected in w for w in warnings), warnings
                refused = promote(api, address)
                assert refused.status_code == 422
                assert name in refused.json()["detail"]
                number = address.rpartition("/")[2]
                assert expected in text_of(client.get(f"/models/resnet50/versions/{number}/"))


def test_all_but_code_fail_no_pickle_too(api: Program) -> None:
    require(api, {"no_pickle": True})
    with every_case() as case:
        for name in EXPECTED:
            with case(name):
                address = register(api, {name: (UNTRUSTED / name).read_bytes()})
                assert promote(api, address).status_code == 422
        for name, content in {
            "lambda.h5": (UNTRUSTED / "lambda.h5").read_bytes(),
            "net.keras": files.keras("Lambda"),
            "run.py": b"print(1)",
            "net.gguf": GGUF,
        }.items():
            with case(name):
                assert promote(api, register(api, {name: content})).status_code == 201


def test_models_of_mlflow_and_hugging_face_pass_both(api: Program) -> None:
    require(api, {"no_pickle": True}, {"no_code": True})
    for model in (files.mlflow_model(), files.hugging_face_model()):
        address = register(api, model)
        assert api.get(address).json()["artifact_warnings"] == []
        answer = promote(api, address)
        assert answer.status_code == 201, answer.content


def test_code_fails_no_code_is_frozen_and_can_be_waived(api: Program) -> None:
    require(api, {"no_pickle": True}, {"no_code": True})
    address = register(api, {"net.gguf": GGUF})
    sentence = "net.gguf runs code when loaded: chat template."
    refused = promote(api, address)
    assert refused.status_code == 422
    assert sentence in refused.json()["detail"]
    evidence = PolicyCheck.objects.get().evidence
    assert evidence["artifact_code"] == [sentence]
    assert evidence["artifact_warnings"] == []
    assert evidence["artifact_inspected"] is True
    waived = api.post(
        f"{address}/waivers",
        {
            "to_stage": "staging",
            "requirements": ["no files that run code when loaded"],
            "reason": "Reviewed the template.",
            "expires_at": (timezone.now() + timedelta(days=1)).isoformat(),
        },
    )
    assert waived.status_code == 201, waived.content
    assert promote(api, address).status_code == 201


def test_files_that_are_not_stored_pass_only_by_name(api: Program) -> None:
    body = {"artifact_path": "s3://models/net.safetensors"}
    number = api.post("/models/resnet50/versions", body).json()["version"]
    address = f"/models/resnet50/versions/{number}"
    require(api, {"no_pickle": True}, {"no_code": True})
    refused = promote(api, address)
    assert refused.status_code == 422
    assert "The registry does not store the files" in refused.json()["detail"]
    by_name = {"unstored": "by_name"}
    require(api, {"no_pickle": True, **by_name}, {"no_code": True, **by_name})
    assert promote(api, address).status_code == 201
    invalid = {"requirements": [{"no_pickle": True, "unstored": "never"}]}
    assert api.put("/policies/staging", invalid).status_code == 400


def as_of_an_older_version(contents: dict[str, bytes]) -> None:
    """Let the findings be those of an inspection that found nothing."""
    ModelVersion.objects.update(artifact_warnings=[], artifact_code=[], artifact_inspector=0)
    for content in contents.values():
        Blob.objects.filter(sha256=hashlib.sha256(content).hexdigest()).update(
            findings={}, inspector=0
        )


def test_after_an_upgrade_files_are_inspected_again_before_they_pass(
    api: Program, alice: User, client: Client
) -> None:
    require(api, {"no_pickle": True})
    clean, bad = {"a.txt": b"text"}, {"a.bin": b"\x00"}
    passing, failing = register(api, clean), register(api, bad)
    as_of_an_older_version(clean | bad)
    for address in (passing, failing):
        refused = promote(api, address)
        assert refused.status_code == 422
        assert "The files have not been inspected" in refused.json()["detail"]

    revisions = [api.get(address).json()["revision"] for address in (passing, failing)]
    inspected = {version.number: version for version in inspect_again()}
    assert [inspected[1].changed, inspected[2].changed] == [False, True]
    assert outdated_versions() == []
    now = [api.get(address).json()["revision"] for address in (passing, failing)]
    assert now == [revisions[0], revisions[1] + 1]
    event = AuditEvent.objects.get(action=Action.ARTIFACT_INSPECTED)
    assert event.data == {
        "inspector": INSPECTOR,
        "warnings": 1,
        "code": 0,
        "findings_digest": findings_digest(ModelVersion.objects.get(number=2)),
        "old": {"inspector": 0, "warnings": 0, "code": 0},
    }
    assert promote(api, passing).status_code == 201
    assert "its format is not recognised" in promote(api, failing).json()["detail"]

    client.force_login(alice)
    page = text_of(client.get("/policies/staging/edit/"))
    assert "These versions newly fail the policy in force:" in page
    assert "/models/resnet50/versions/2/" in page
    assert "/models/resnet50/versions/1/" not in page


def test_content_that_is_missing_does_not_pass(api: Program) -> None:
    address = register(api, {"a.txt": b"text"})
    blob_store.discard(hashlib.sha256(b"text").hexdigest())
    assert forget_inspections() == 1
    inspect_again()
    (warning,) = api.get(address).json()["artifact_warnings"]
    assert warning == "a.txt could not be inspected: its content is missing."

    # Its storage can come back.
    store_blob(body=io.BytesIO(b"text"), size=4, actor=SYSTEM, at=timezone.now())
    inspect_again()
    assert api.get(address).json()["artifact_warnings"] == []


def test_content_from_before_an_upgrade_does_not_count_as_inspected(api: Program) -> None:
    address = register(api, {"a.txt": b"text"})
    Blob.objects.update(inspector=0, findings={})
    register(api, {"b.txt": b"other"})
    entry = {"path": "c.txt", "sha256": hashlib.sha256(b"text").hexdigest()}
    assert api.put(f"{address}/artifact", {"files": [entry]}).status_code == 200
    require(api, {"no_pickle": True})
    assert "have not been inspected" in promote(api, address).json()["detail"]
    # Sent again, it is inspected again.
    at = timezone.now()
    store_blob(body=io.BytesIO(b"text"), size=4, actor=SYSTEM, at=at)
    inspect_again()
    assert promote(api, address).status_code == 201


def test_findings_that_the_registry_did_not_write_do_not_count(api: Program) -> None:
    require(api, {"no_pickle": True})
    bad, clean = pickle.dumps(print), b"text"
    first = register(api, {"README.md": bad})
    register(api, {"b.txt": clean})
    blob, other = (Blob.objects.get(sha256=hashlib.sha256(c).hexdigest()) for c in (bad, clean))
    copied = {"findings": other.findings, "findings_seal": other.findings_seal}

    # A version that gets the content later does not count as inspected, until it is.
    Blob.objects.filter(pk=blob.pk).update(**copied)
    second = register_stored(api, blob.sha256)
    assert "have not been inspected" in promote(api, second).json()["detail"]
    inspect_again()
    assert "contains a pickle" in promote(api, second).json()["detail"]

    # The inspection of a version does not take over what was written into its content.
    Blob.objects.filter(pk=blob.pk).update(**copied)
    ModelVersion.objects.update(artifact_inspector=0, artifact_warnings=[])
    inspect_again()
    for address in (first, second):
        assert "contains a pickle" in promote(api, address).json()["detail"]
    assert verify_chains().rows == ()


def test_a_new_secret_key_lets_content_be_inspected_again(api: Program, settings: Any) -> None:
    require(api, {"no_pickle": True})
    register(api, {"a.txt": b"text"})
    sha256 = hashlib.sha256(b"text").hexdigest()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert verify_chains().rows == ()
    assert promote(api, register_stored(api, sha256)).status_code == 201
    settings.SECRET_KEY_FALLBACKS = []
    (difference,) = verify_chains().rows
    assert "not written with the key of this installation; run obeya inspect" in difference
    address = register_stored(api, sha256)
    assert promote(api, address).status_code == 422
    inspect_again()
    assert promote(api, address).status_code == 201
    assert verify_chains().rows == ()


def test_damaged_content_does_not_pass(api: Program) -> None:
    require(api, {"no_pickle": True})
    address = register(api, {"a.txt": b"text"})
    sha256 = hashlib.sha256(b"text").hexdigest()
    found = DamagedContent(sha256, Damage.CONTENT, blob_store.placed_at(sha256))
    mark_damaged(found=found, at=timezone.now())
    assert "have not been inspected" in promote(api, address).json()["detail"]
    inspect_again()
    assert "a.txt could not be inspected: its content was altered." in warnings_of(api, address)
    assert promote(api, address).status_code == 422
    store_blob(body=io.BytesIO(b"text"), size=4, actor=SYSTEM, at=timezone.now())
    inspect_again()
    assert promote(api, address).status_code == 201
    assert verify_chains().rows == ()


def test_the_preview_lists_what_newly_fails(api: Program) -> None:
    require(api, {"no_pickle": True})
    register(api, {"net.gguf": GGUF})
    register(api, {"a.txt": b"text"})
    register(api, {"a.bin": b"\x00"})
    draft = {"policy": {"stage": "staging", "requirements": [{"no_code": True}]}}
    found = api.post("/policy-simulations", draft).json()
    assert [row["version"] for row in found["failing"]] == [1, 3]
    assert [row["version"] for row in found["newly_failing"]] == [1]


def test_a_version_whose_inspection_fails_does_not_stop_the_others(
    api: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(api, {"a.txt": b"text"})
    register(api, {"b.txt": b"other"})
    forget_inspections()
    failing = max(outdated_versions())
    attempts = []

    class Rounds(threading.Event):
        """Is set after five rounds."""

        rounds = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.rounds += 1
            if self.rounds == 5:
                self.set()
            return True

    def one(*, pk: int, **given: Any) -> Any:
        if pk == failing:
            attempts.append(pk)
            raise KeyError("x")
        return inspect_version(pk=pk, **given)

    monkeypatch.setattr(again, "inspect_version", one)
    monkeypatch.setattr(again.connections, "close_all", lambda: None)
    again.keep_inspecting(Rounds())
    assert outdated_versions() == [failing]
    assert len(attempts) == again.ATTEMPTS_MAX
