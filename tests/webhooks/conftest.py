"""An administrator, a registry and a receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.models import User
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from boards.registry.webhooks.endpoints import create_webhook
from boards.webhooks import delivering
from obeya.records import Channel
from obeya.webhooks.endpoints import Subscription, Target
from tests.webhooks.receivers import Receiver, receiving

SITE = "https://registry.example.org"
Make = Callable[..., tuple[models.Webhook, str]]


@pytest.fixture
def alice(db: None) -> User:
    """Return an administrator."""
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    return create_user(username="alice", group="administrator", actor=SYSTEM, at=at)


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor(alice, Channel.PAGE)


@pytest.fixture
def models_of(alice: User) -> DatabaseRegistry:
    """Return the registry as alice uses it."""
    return DatabaseRegistry(actor=alice)


@pytest.fixture
def make(actor: Actor, settings: Any) -> Make:
    """Return a function that creates an endpoint on this machine and gives its row and secret."""
    settings.OBEYA_WEBHOOK_NETWORKS = (ip_network("127.0.0.0/8"),)

    def made(address: str, name: str = "ci", **subscription: Any) -> tuple[models.Webhook, str]:
        target = subscription.pop("target", Target.WEBHOOK)
        return create_webhook(
            name=name,
            target=target,
            address=address,
            subscription=Subscription(**subscription),
            actor=actor,
            at=timezone.now(),
        )

    return made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def work() -> int:
    """Send all due deliveries as a worker does, one by one; return the number of attempts."""
    leased = delivering.lease(100)
    delivering.record([delivering.send(each, site=SITE) for each in leased])
    return len(leased)
