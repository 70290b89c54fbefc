"""Helpers of the conformance tests: a clock, a snapshot of everything readable, short names."""

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
    """A clock that advances a minute whenever it is read, so that every event has a different time.

    With `stopped` it shows the same time each time.
    """

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 3, 12, tzinfo=UTC)
        self.stopped = False

    def __call__(self) -> datetime:
        if not self.stopped:
            self.now += timedelta(minutes=1)
        return self.now


def snapshot_of(registry: ModelRegistry, *names: str) -> object:
    """Return everything that the contract lets a caller read of these models and their policies."""
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
    """Check that the block changes nothing that a caller can read."""
    before = snapshot_of(registry, *names or (NAME,))
    yield
    assert snapshot_of(registry, *names or (NAME,)) == before


def promote(registry: ModelRegistry, version: int, name: str = NAME, **how: Any) -> None:
    """Move a version from Development to Production."""
    registry.transition_stage(name, version, STAGING)
    registry.transition_stage(name, version, PROD, **how)


def floor(stage: Stage, value: float = 0.9) -> PromotionPolicy:
    """Return a policy that requires an accuracy."""
    return PromotionPolicy(stage).require_metric("accuracy", Comparison.GTE, value)


def numbers_of(versions: Any) -> list[int]:
    """Return the numbers of versions, in their order."""
    return [version.version for version in versions]
