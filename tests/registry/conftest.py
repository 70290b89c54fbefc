"""Accounts in each role, the registries under test, and helpers that show what a write changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from boards.access.actors import Actor
from boards.models import AuditEvent, RegisteredModel, SiteChain, User
from boards.registry.accounts.tokens import create_token
from boards.registry.database import DatabaseRegistry
from obeya import InMemoryRegistry, ModelRegistry, RemoteRegistry
from obeya.audit.chain import event_hash
from obeya.records import Channel
from obeya.stages import STRICT, Workflow
from obeya.tokens import Scope
from tests.registry.conformance import Clock
from tests.registry.in_process import in_process


def _person(username: str, group: str) -> User:
    user = User.objects.create(username=username, password="!")
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def alice(db: None) -> User:
    """Return an administrator."""
    return _person("alice", "administrator")


@pytest.fixture
def victor(db: None) -> User:
    """Return a viewer."""
    return _person("victor", "viewer")


@pytest.fixture
def carol(db: None) -> User:
    """Return a contributor."""
    return _person("carol", "contributor")


@pytest.fixture
def peter(db: None) -> User:
    """Return a promoter."""
    return _person("peter", "promoter")


@pytest.fixture
def anna(db: None) -> User:
    """Return an approver."""
    return _person("anna", "approver")


@pytest.fixture
def registry(alice: User) -> DatabaseRegistry:
    """Return the registry as an administrator uses it."""
    return DatabaseRegistry(actor=alice)


@pytest.fixture
def clock() -> Clock:
    """Return the clock of `any_registry`."""
    return Clock()


@pytest.fixture
def workflow() -> Workflow:
    """Return the workflow of `any_registry`; tests can parametrise it."""
    return STRICT


@pytest.fixture(
    params=[
        "memory",
        pytest.param("database", marks=[pytest.mark.django_db, pytest.mark.both_engines]),
        pytest.param("remote", marks=pytest.mark.django_db),
        pytest.param(
            "served", marks=[pytest.mark.django_db(transaction=True), pytest.mark.release]
        ),
    ]
)
def any_registry(
    request: pytest.FixtureRequest, clock: Clock, workflow: Workflow, settings: Any
) -> ModelRegistry:
    """Return each implementation, empty, used by an account with every permission.

    `remote` is a client in this process, `served` the same over a real connection.
    """
    if request.param == "memory":
        return InMemoryRegistry(actor="alice", clock=clock, workflow=workflow)
    settings.OBEYA_WORKFLOW = workflow.name
    if request.param == "database":
        return DatabaseRegistry(actor=request.getfixturevalue("alice"), clock=clock)
    if connection.vendor != "sqlite":
        pytest.skip("What differs between the engines does not show in the API.")
    return request.getfixturevalue("remote_of")("alice")  # type: ignore[no-any-return]


@pytest.fixture
def remote_of(
    request: pytest.FixtureRequest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RemoteRegistry]:
    """Return a function that gives a client with the token of a named administrator.

    The server uses the clock of the test.
    """
    monkeypatch.setattr(timezone, "now", clock)

    def remote(name: str, *, is_service: bool = False) -> RemoteRegistry:
        user, is_new = User.objects.get_or_create(
            username=name, defaults={"is_service": is_service}
        )
        if is_new:
            user.groups.add(Group.objects.get(name="administrator"))
        was_stopped, clock.stopped = clock.stopped, True
        _, token = create_token(
            user=user,
            name="conformance",
            scopes=list(Scope),
            days=366,
            allow_service_approval=is_service,
            actor=Actor(user, Channel.PAGE),
            at=clock(),
        )
        clock.stopped = was_stopped
        if request.node.callspec.params["any_registry"] == "remote":
            return in_process(token)
        served = RemoteRegistry(request.getfixturevalue("live_server").url, token)
        served._api._headers["Accept-Encoding"] = "gzip"
        return served

    return remote


@pytest.fixture
def whole_database(db: None) -> Callable[[], dict[str, list[Any]]]:
    """Return a function that reads every row of the app, to compare before and after."""

    def read() -> dict[str, list[Any]]:
        return {
            model.__name__: list(model._default_manager.order_by("pk").values())
            for model in apps.get_app_config("boards").get_models()
            if not model._meta.proxy
        }

    return read


@pytest.fixture
def new_events(db: None) -> Callable[[], list[AuditEvent]]:
    """Return the events since the last call, each verified against its hash and its chain."""
    seen: set[int] = set(AuditEvent.objects.values_list("pk", flat=True))

    def read() -> list[AuditEvent]:
        events = list(
            AuditEvent.objects.exclude(pk__in=seen)
            .select_related("model", "version", "actor")
            .order_by("pk")
        )
        seen.update(event.pk for event in events)
        for event in events:
            _assert_sound(event)
        return events

    return read


def _assert_sound(event: AuditEvent) -> None:
    record = json.loads(event.canonical_text)
    chain = event.model or SiteChain.objects.get()
    assert event.hash == event_hash(event.canonical_text)
    assert event.previous_hash == record["previous_hash"]
    assert record["chain"] == str(chain.uid)
    assert record["model"] == (str(event.model.uid) if event.model else None)
    assert record["version"] == (event.version.number if event.version else None)
    assert record["sequence"] == event.sequence
    assert record["actor"] == (str(event.actor.uid) if event.actor else "system")
    assert record["channel"] == event.channel
    assert record["action"] == event.action
    head = type(chain)._default_manager.get(pk=chain.pk)
    assert isinstance(head, (RegisteredModel, SiteChain))
    assert head.chain_length >= event.sequence
    if head.chain_length == event.sequence:
        assert head.chain_hash == event.hash
        assert head.chain_occurred_at == event.occurred_at
    assert event.recorded_at <= datetime.now(UTC)


@pytest.fixture
def acting_as(
    any_registry: ModelRegistry, clock: Clock, request: pytest.FixtureRequest
) -> Callable[..., ModelRegistry]:
    """Return the same registry, used by another account with every permission."""

    def hand_to(name: str, *, is_service: bool = False) -> ModelRegistry:
        if isinstance(any_registry, InMemoryRegistry):
            return any_registry.acting_as(name, is_service=is_service)
        if isinstance(any_registry, RemoteRegistry):
            remote_of = request.getfixturevalue("remote_of")
            return remote_of(name, is_service=is_service)  # type: ignore[no-any-return]
        account, _ = User.objects.get_or_create(
            username=name, defaults={"is_superuser": True, "is_service": is_service}
        )
        return DatabaseRegistry(actor=account, clock=clock)

    return hand_to
