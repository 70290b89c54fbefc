"""Idempotency keys: a POST that is sent twice with one key runs once."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from boards.models import AuditEvent, IdempotentRequest, ModelVersion
from boards.registry import idempotency
from tests.api.conftest import Program, problem

pytestmark = pytest.mark.both_engines


def test_a_repeated_request_gets_the_first_response(api: Program) -> None:
    first = api.post("/models/m/versions", {"label": "a"}, Idempotency_Key="k1")
    again = api.post("/models/m/versions", {"label": "a"}, Idempotency_Key="k1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Location"] == first["Location"]
    assert again["ETag"] == first["ETag"]
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert ModelVersion.objects.count() == 1


def test_a_repeated_refusal_gets_the_first_response(api: Program) -> None:
    api.post("/models/m/versions")
    body = {"to_stage": "production"}
    first = api.post("/models/m/versions/1/transitions", body, Idempotency_Key="k")
    again = api.post("/models/m/versions/1/transitions", body, Idempotency_Key="k")
    problem(first, 422, "invalid_transition")
    assert again.json() == first.json()


def test_a_key_reused_for_another_request_is_refused(api: Program) -> None:
    api.post("/models/m/versions", {"label": "a"}, Idempotency_Key="k")
    other = api.post("/models/m/versions", {"label": "b"}, Idempotency_Key="k")
    problem(other, 422, "idempotency_key_reused")
    elsewhere = api.post("/models/n/versions", {"label": "a"}, Idempotency_Key="k")
    problem(elsewhere, 422, "idempotency_key_reused")
    assert ModelVersion.objects.count() == 1


def test_a_repetition_during_the_first_request_is_refused(api: Program, alice) -> None:
    sent = api.post("/models/m/versions", {}, Idempotency_Key="k")
    IdempotentRequest.objects.update(status=None, answer="", claim=uuid.uuid4())
    problem(api.post("/models/m/versions", {}, Idempotency_Key="k"), 409, "idempotency_key_in_use")
    # The process with the claim has ended without a response, so it wrote nothing: a retry runs.
    IdempotentRequest.objects.update(claimed_at=timezone.now() - timedelta(minutes=3))
    taken_over = api.post("/models/m/versions", {}, Idempotency_Key="k")
    assert (sent.json()["version"], taken_over.json()["version"]) == (1, 2)


def test_a_failed_request_changes_nothing_and_can_be_repeated(api: Program, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("boards.api.routes.versions.version_document", broken)
        api._client.raise_request_exception = False
        answer = api.post("/models/m/versions", {}, Idempotency_Key="k")
    problem(answer, 500, "error")
    assert not ModelVersion.objects.exists()
    assert not AuditEvent.objects.filter(action="model_version.registered").exists()
    assert api.post("/models/m/versions", {}, Idempotency_Key="k").status_code == 201


def test_keys_expire(api: Program) -> None:
    api.post("/models/m/versions", {}, Idempotency_Key="old")
    IdempotentRequest.objects.update(claimed_at=timezone.now() - timedelta(days=8))
    api.post("/models/m/versions", {}, Idempotency_Key="new")
    assert [row.key for row in IdempotentRequest.objects.all()] == ["new"]


@pytest.mark.parametrize("key", ["x" * 256, "ü", "a\tb"])
def test_an_invalid_key_is_refused(api: Program, key: str) -> None:
    problem(api.post("/models/m/versions", {}, Idempotency_Key=key), 400, "invalid_input")


@pytest.mark.django_db(transaction=True)
def test_of_concurrent_repetitions_only_one_runs(api: Program) -> None:
    answers = []
    start = threading.Barrier(8)

    def send() -> None:
        try:
            start.wait()
            answers.append(Program(api.token).post("/models/m/versions", {}, Idempotency_Key="k"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    assert ModelVersion.objects.count() == 1
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "idempotency_key_in_use")


def test_a_request_that_lost_its_claim_is_rolled_back(api: Program, alice) -> None:
    key = {"user": alice, "key": "k", "fingerprint": "f", "at": timezone.now()}

    def slow() -> idempotency.Answer:
        api.post("/models/m/versions")
        IdempotentRequest.objects.update(claim=uuid.uuid4())
        return idempotency.Answer(status=201, headers={}, body="{}")

    with pytest.raises(idempotency.IdempotencyKeyInUse):
        idempotency.answer_once(**key, answer=slow)
    assert not ModelVersion.objects.exists()
