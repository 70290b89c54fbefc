"""Idempotency keys: a POST that is sent twice with one key runs once."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.utils import timezone

from boards.access.actors import Actor
from boards.models import AuditEvent, IdempotentRequest, ModelVersion, User
from boards.registry import idempotency
from boards.registry.database import DatabaseRegistry
from obeya.records import Channel
from obeya.tokens import Scope
from tests.api.conftest import Program, ProgramOf, problem
from tests.offenders import every_case

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
    actor = Actor(alice, Channel.API)
    key = {"actor": actor, "key": "k", "fingerprint": "f", "at": timezone.now()}

    def slow(_: Actor) -> idempotency.Answer:
        api.post("/models/m/versions")
        IdempotentRequest.objects.update(claim=uuid.uuid4())
        return idempotency.Answer(status=201, headers={}, body="{}")

    with pytest.raises(idempotency.IdempotencyKeyInUse):
        idempotency.answer_once(**key, answer=slow)
    assert not ModelVersion.objects.exists()


def test_a_response_is_repeated_only_to_a_token_with_the_permission(
    alice: User, api: Program, program_of: ProgramOf
) -> None:
    registry = DatabaseRegistry(actor=alice)
    registry.register_model("m", 1)
    registry.register_model("n", 1)
    move = "/models/m/versions/1/transitions"
    requests = [
        ("/models/m/versions", {"label": "a"}, ["write"]),
        ("/versions", {"versions": [{"model": "m"}, {"model": "n"}]}, ["write"]),
        (move, {"to_stage": "staging"}, ["write", "promote"]),
        (move, {"to_stage": "archived", "expected_stage": "production"}, ["write", "promote"]),
        ("/models/m/versions/1/checks", {}, ["write", "promote", "approve"]),
        ("/models/m/versions/1/policy-result", {"policy": {}}, list(Scope)),
    ]
    with every_case() as case:
        for number, (path, body, scopes) in enumerate(requests):
            key = {"Idempotency_Key": f"k{number}"}
            first = api.post(path, body, **key)
            events = AuditEvent.objects.count()
            for scope in Scope:
                with case(f"{path}, scope {scope}"):
                    again = program_of(alice, [scope]).post(path, body, **key)
                    if scope in scopes:
                        assert again.content == first.content
                        assert again["Idempotent-Replayed"] == "true"
                    else:
                        problem(again, 403, "not_allowed")
            with case(f"{path}, other models"):
                limited = program_of(alice, models=["n", "other-*"]).post(path, body, **key)
                problem(limited, 403, "not_allowed")
            with case(f"{path}, no event but those of the tokens"):
                added = AuditEvent.objects.all()[events:]
                assert {event.action.partition(".")[0] for event in added} == {"api_token"}


def test_a_response_is_not_repeated_to_an_account_that_lost_the_permission(
    alice: User, api: Program
) -> None:
    first = api.post("/models/m/versions", {}, Idempotency_Key="k")
    assert first.status_code == 201
    alice.groups.set([Group.objects.get(name="viewer")])
    User.objects.filter(pk=alice.pk).update(is_superuser=False)
    problem(api.post("/models/m/versions", {}, Idempotency_Key="k"), 403, "not_allowed")


def test_a_refused_permission_is_examined_again(
    alice: User, api: Program, program_of: ProgramOf
) -> None:
    reader = program_of(alice, ["read"])
    for _ in range(2):
        problem(reader.post("/models/m/versions", {}, Idempotency_Key="k"), 403, "not_allowed")
    assert api.post("/models/m/versions", {}, Idempotency_Key="k").status_code == 201


def test_the_address_of_an_endpoint_is_not_stored_by_caches(api: Program) -> None:
    hook = {"name": "chat", "address": "https://hooks.slack.com/services/T/B/x"}
    place = f"/webhooks/{api.post('/webhooks', {**hook, 'target': 'slack'}).json()['id']}"
    answers = [api.get("/webhooks"), api.get(place), api.put(place, {**hook, "name": "other"})]
    for answer in answers:
        assert answer.status_code == 200, answer.content
        assert hook["address"] in answer.content.decode()
        assert answer["Cache-Control"] == "no-store"


def test_a_response_with_a_secret_is_never_stored(api: Program, program_of: ProgramOf) -> None:
    hook = {"name": "ci", "target": "webhook", "address": "https://ci.example.org/"}
    created = api.post("/webhooks", hook)
    rotation = f"/webhooks/{created.json()['id']}/secret"
    requests = [
        ("/tokens", {"name": "more", "scopes": ["read"]}, "token"),
        ("/webhooks", {**hook, "name": "second"}, "secret"),
        (rotation, {"overlap_hours": 0}, "secret"),
        (rotation.replace("secret", "disable"), {"reason": "x"}, "address"),
        (rotation.replace("secret", "enable"), {}, "address"),
    ]
    with every_case() as case:
        for path, body, member in requests:
            with case(path):
                first = api.post(path, body, Idempotency_Key=path)
                assert first.status_code in (200, 201), first.content
                assert first["Cache-Control"] == "no-store"
                stored = IdempotentRequest.objects.values().get(key=path)
                assert first.json()[member] not in str(stored)
                events = AuditEvent.objects.count()
                again = api.post(path, body, Idempotency_Key=path)
                assert "new Idempotency-Key" in problem(again, 409, "secret_not_repeated")["detail"]
                assert AuditEvent.objects.count() == events
    less = program_of(User.objects.get(username="alice"), ["read"])
    answer = less.post("/webhooks", {**hook, "name": "second"}, Idempotency_Key="/webhooks")
    problem(answer, 403, "not_allowed")
