"""Two versions side by side: `/compare/`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client

from boards.models import User
from boards.registry import DatabaseRegistry
from obeya import Metric

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
ADDRESS = "/compare/?v=a:1&v=b:1"


def text_of(answer: HttpResponse) -> str:
    text: str = answer.content.decode()
    return text


@pytest.fixture
def two(registry: DatabaseRegistry) -> DatabaseRegistry:
    registry.register_model(
        "a",
        metrics={
            "accuracy": 0.8,
            "loss": 0.5,
            "classes": 10,
            "same": 1.0,
            "only_a": 1.0,
            "auc": Metric("auc", 0.9, dataset="old"),
            "f1": Metric("f1", 0.90, standard_error=0.1),
            "zero": 0.0,
        },
        tags={"team": "nlp"},
    )
    registry.register_model(
        "b",
        metrics={
            "accuracy": 0.9,
            "loss": 0.6,
            "classes": 20,
            "same": 1.0,
            "only_b": 1.0,
            "auc": Metric("auc", 0.95, dataset="new"),
            "f1": Metric("f1", 0.91, standard_error=0.1),
            "zero": 1.0,
        },
        artifact_uri="s3://b",
    )
    return registry


def test_every_outcome_is_named(two: DatabaseRegistry, client_of: ClientOf, alice: User) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    for outcome in (
        "better",
        "worse",
        "changed",
        "equal",
        "not comparable",
        "within noise",
        "only the first has it",
        "only the second has it",
        "undefined",
    ):
        assert f"{outcome}" in page, outcome
    assert "+12.5 %" in page
    assert "b v1 is better in 1 and worse in 1 of 3 comparable metrics" in page


def test_the_rest_stands_side_by_side(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    assert "team=nlp" in page
    assert "s3://b" in page


def test_only_differences_leaves_out_what_is_equal(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(f"{ADDRESS}&only=differences"))
    assert ">same" not in page
    assert ">accuracy" in page


def test_the_baseline_can_be_the_second(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(f"{ADDRESS}&baseline=1"))
    assert "a v1 against the baseline b v1" in page


def test_a_models_own_address_leads_there(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    two.register_model("a")
    answer = client_of(alice).get("/models/a/compare/?a=1&b=2", follow=True)
    assert "a v2 against the baseline a v1" in text_of(answer)


def test_without_two_versions_it_asks_for_them(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for address in ("/compare/", "/compare/?v=a:1"):
        answer = client_of(alice).get(address)
        assert answer.status_code == 200
        assert "Name two versions" in text_of(answer)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("v=a:1&v=none:1", 404),
        ("v=a:1&v=b:9", 404),
        ("v=a:1&v=b", 400),
        ("v=a:1&v=b:x", 400),
        ("v=a:1&v=b:0", 400),
        ("v=a:1&v=b:1&v=b:1", 400),
        (f"v=a:1&v=b:{10**30}", 400),
    ],
)
def test_what_names_no_version_is_told_and_can_be_mended(
    two: DatabaseRegistry, client_of: ClientOf, alice: User, query: str, status: int
) -> None:
    answer = client_of(alice).get(f"/compare/?{query}")
    assert answer.status_code == status
    assert 'role="alert"' in text_of(answer)
    assert 'value="a:1"' in text_of(answer)


def test_strangers_and_accounts_without_the_right_do_not_get_in(
    two: DatabaseRegistry, client: Client, client_of: ClientOf
) -> None:
    assert client.get(ADDRESS).status_code == 302
    assert client_of(User.objects.create_user("nobody")).get(ADDRESS).status_code == 403
