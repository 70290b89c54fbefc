"""What the conformance tests share: a clock, a picture of all that can be seen, a few words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from obeya import Comparison, ModelRegistry, NotFound, PromotionPolicy, Stage

NAME = "sentiment-classifier"
DEV, STAGING, PROD, ARCHIVED = Stage
GATED = (STAGING, PROD)


class Clock:
    """A clock that ticks a minute with each look, so that every event has its own time.

    With `standing` it shows the same time again and again.
    """

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 3, 12, tzinfo=UTC)
        self.standing = False

    def __call__(self) -> datetime:
        if not self.standing:
            self.now += timedelta(minutes=1)
        return self.now


def picture(registry: ModelRegistry, *names: str) -> object:
    """All that the contract lets one see of these models, and of the site."""
    seen: dict[str, Any] = {"site": {stage: registry.get_policy(stage) for stage in GATED}}
    for name in names:
        try:
            versions = list(registry.list_versions(name))
        except NotFound:
            seen[name] = None
            continue
        policies = {stage: registry.get_policy(stage, name) for stage in GATED}
        requests = list(registry.get_requests(name))
        seen[name] = (versions, list(registry.get_transitions(name)), policies, requests)
    return seen


@contextmanager
def unchanged(registry: ModelRegistry, *names: str) -> Iterator[None]:
    """Nothing that can be seen differs after what happens inside."""
    before = picture(registry, *names or (NAME,))
    yield
    assert picture(registry, *names or (NAME,)) == before


def promote(registry: ModelRegistry, version: int, name: str = NAME, **how: Any) -> None:
    """Move a version from Development to Production."""
    registry.transition_stage(name, version, STAGING)
    registry.transition_stage(name, version, PROD, **how)


def floor(stage: Stage, value: float = 0.9) -> PromotionPolicy:
    """A policy that asks for an accuracy."""
    return PromotionPolicy(stage).require_metric("accuracy", Comparison.GTE, value)


def numbers_of(versions: Any) -> list[int]:
    """The numbers of versions, in their order."""
    return [version.version for version in versions]
