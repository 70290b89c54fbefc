"""Browser sessions: Alice is an administrator, Victor a viewer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from boards.access.actors import SYSTEM
from boards.models import User
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry

MADE_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def alice(db: None) -> User:
    return create_user(username="alice", group="administrator", actor=SYSTEM, at=MADE_AT)


@pytest.fixture
def victor(db: None) -> User:
    return create_user(username="victor", group="viewer", actor=SYSTEM, at=MADE_AT)


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    def client(user: User) -> Client:
        made = Client()
        made.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return made

    return client


@pytest.fixture
def registry(alice: User) -> DatabaseRegistry:
    return DatabaseRegistry(actor=alice)
