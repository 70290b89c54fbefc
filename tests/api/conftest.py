"""API clients, one per role, each with a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.models import User
from boards.registry.accounts.token_addresses import record_token_use
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya.records import Channel
from obeya.tokens import Scope

MADE_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Program:
    """An API client that sends its token with each request and parses JSON responses."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._client = Client()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return self._client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else content,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}"}
            | {name.replace("_", "-"): value for name, value in headers.items()},
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.send("DELETE", path, **headers)


ProgramOf = Callable[..., Program]


@pytest.fixture
def alice(db: None) -> User:
    """An administrator."""
    return create_user(username="alice", group="administrator", actor=SYSTEM, at=MADE_AT)


@pytest.fixture
def victor(db: None) -> User:
    """A viewer."""
    return create_user(username="victor", group="viewer", actor=SYSTEM, at=MADE_AT)


@pytest.fixture
def program_of() -> ProgramOf:
    def program(
        user: User, scopes: Iterable[str] = tuple(Scope), models: Iterable[str] = ()
    ) -> Program:
        at = timezone.now()
        row, text = create_token(
            user=user,
            name="a test",
            scopes=scopes,
            model_globs=models,
            actor=Actor(user, Channel.PAGE),
            at=at,
        )
        # Otherwise its first request would write an event.
        record_token_use(token=row, address="127.0.0.1", channel=Channel.API, at=at)
        return Program(text)

    return program


@pytest.fixture
def api(alice: User, program_of: ProgramOf) -> Program:
    """Return an API client with the token of an administrator."""
    return program_of(alice)


@pytest.fixture
def registry(alice: User) -> DatabaseRegistry:
    """Return the registry behind the API, for direct use."""
    return DatabaseRegistry(actor=alice)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check that the response is this problem document, and return it."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["code"] == code
    assert document["type"] == f"urn:obeya:problem:{code.replace('_', '-')}"
    assert document["title"]
    assert document["detail"]
    return document
