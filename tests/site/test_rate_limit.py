"""The rate limit of the API and of the MLflow protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.access.rate_limit import TokenBuckets
from boards.models import User
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from obeya.tokens import Scope, new_token

# Far more than the burst, and than are added meanwhile on any machine that answers at all.
REQUESTS_MAX = 300


def test_a_bucket_allows_a_burst_and_then_the_rate() -> None:
    buckets = TokenBuckets(10)

    def taken(seconds: float, most: int = 100) -> int:
        waits = (buckets.take("a", rate=10, burst=50, now=seconds) for _ in range(most))
        return sum(not wait for wait in waits)

    assert taken(0) == 50
    assert buckets.take("a", rate=10, burst=50, now=0) == pytest.approx(0.1)
    assert taken(0.75) == 7
    # Half a token was left; refused requests cost nothing.
    assert taken(0.8125) == 1
    # The clock never goes back, but threads can arrive out of order.
    assert taken(0.3) == 0
    assert taken(100) == 50
    assert buckets.take("b", rate=10, burst=50, now=0) == 0


def test_the_least_recently_used_bucket_is_forgotten() -> None:
    buckets = TokenBuckets(2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, rate=1, burst=2, now=0)
    assert buckets.take("a", rate=1, burst=2, now=0) > 0
    assert buckets.take("b", rate=1, burst=2, now=0) == 0


def limited(send: Callable[[], Any]) -> Any:
    """Return the first refusal of requests that are sent as fast as possible."""
    for _ in range(REQUESTS_MAX):
        answer = send()
        if answer.status_code == 429:
            assert int(answer["Retry-After"]) == 1
            return answer
    return pytest.fail("No request was refused.")


@pytest.fixture
def alice(db: None) -> User:
    return create_user(username="alice", group="administrator", actor=SYSTEM, at=timezone.now())


def token_of(user: User) -> dict[str, str]:
    _, token = create_token(
        user=user, name="t", scopes=[Scope.READ], actor=SYSTEM, at=timezone.now()
    )
    return {"Authorization": f"Bearer {token}"}


API = "/api/v1/models"
MLFLOW = "/api/2.0/mlflow/registered-models/search"


def test_a_token_has_its_own_limit_for_both_protocols(
    settings: Any, client: Client, alice: User
) -> None:
    settings.OBEYA_API_RATE = 1
    one, two = token_of(alice), token_of(alice)
    document = limited(lambda: client.get(API, headers=one)).json()
    assert (document["code"], document["retry_after"]) == ("too_many_requests", 1)
    assert document["detail"] == (
        "Too many requests: the limit is 1 a second. Try again in 1 second."
    )
    error = limited(lambda: client.get(MLFLOW, headers=one)).json()
    assert error["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert "the limit is 1 a second" in error["message"]
    for path in (API, MLFLOW):
        assert client.get(path, headers=two).status_code == 200


def test_without_a_valid_token_the_address_is_limited(
    settings: Any, client: Client, alice: User
) -> None:
    settings.OBEYA_API_RATE = 1
    forged = iter(range(10**6))

    def guess() -> Any:
        headers = {
            "Authorization": f"Bearer {new_token()}",
            "X-Forwarded-For": f"203.0.113.{next(forged)}",
        }
        return client.get(API, headers=headers, REMOTE_ADDR="192.0.2.1")

    assert guess().status_code == 401
    limited(guess)
    valid = client.get(API, headers=token_of(alice), REMOTE_ADDR="192.0.2.1")
    assert valid.status_code == 200
    assert client.get(API, REMOTE_ADDR="192.0.2.2").status_code == 401


def test_callers_without_a_token_are_limited_by_address(
    settings: Any, client: Client, db: None
) -> None:
    settings.OBEYA_API_RATE = 1
    settings.OBEYA_ANONYMOUS = "read"
    assert client.get(MLFLOW, REMOTE_ADDR="192.0.2.3").status_code == 200
    limited(lambda: client.get(MLFLOW, REMOTE_ADDR="192.0.2.3"))


def test_the_limit_can_be_switched_off(settings: Any, client: Client, db: None) -> None:
    settings.OBEYA_API_RATE = 0
    statuses = {client.get(API, REMOTE_ADDR="192.0.2.4").status_code for _ in range(50)}
    assert statuses == {401}


def paths(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[str]:
    """Yield a path of every route of the API and of the MLflow protocol."""
    for pattern in patterns:
        route = before + re.sub(r"[\\^$]|<[^>]*>|\(\?.*", "x", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, route)
        elif re.match(r"/(api/|version$|.*api/)", route):
            yield route


def test_every_route_is_limited_except_those_of_health(
    settings: Any, client: Client, db: None
) -> None:
    settings.OBEYA_API_RATE = 1
    found = sorted(set(paths(get_resolver().url_patterns)))
    assert len(found) > 80, found
    for path in found:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            limited(lambda: client.generic(method, path, REMOTE_ADDR="192.0.2.5"))  # noqa: B023
    for path in ("/health", "/livez"):
        assert {client.get(path, REMOTE_ADDR="192.0.2.5").status_code for _ in range(20)} == {200}
