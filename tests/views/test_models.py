"""The list of models: `/models/`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from boards.models import User
from boards.registry.database import DatabaseRegistry
from obeya import Stage
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]


def test_each_model_shows_its_counts_champion_and_owner(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for number in (1, 2):
        registry.register_model("resnet50", metrics={"accuracy": 0.91})
        registry.transition_stage("resnet50", number, Stage.STAGING)
    registry.transition_stage("resnet50", 2, Stage.PRODUCTION)
    page = text_of(client_of(alice).get("/models/"))
    assert "1 in Staging" in page
    assert "1 in Production" in page
    assert '/models/resnet50/versions/2/">v2</a>' in page
    assert "0.91" in page
    assert "alice" in page


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", ["a", "b", "c"]),
        ("-name", ["c", "b", "a"]),
        ("versions", ["c", "a", "b"]),
        ("-versions", ["b", "a", "c"]),
        ("-updated", ["b", "a", "c"]),
    ],
)
def test_the_list_is_sorted_by_the_database(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, sort: str, order: list[str]
) -> None:
    for name in ("c", "a", "a", "b", "b", "b"):
        registry.register_model(name)
    page = text_of(client_of(alice).get(f"/models/?sort={sort}"))
    places = [page.index(f'href="/models/{name}/"') for name in order]
    assert places == sorted(places)


@pytest.mark.parametrize("sort", ["name", "-name", "versions", "-versions", "updated", "-updated"])
def test_the_pages_cover_every_model_once(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, sort: str
) -> None:
    names = {f"model-{n:03}" for n in range(53)}
    for name in names:
        registry.register_model(name)
    client = client_of(alice)
    first = text_of(client.get(f"/models/?sort={sort}"))
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = text_of(client.get(f"/models/{following}"))
    seen = [name for page in (first, second) for name in names if f'/models/{name}/"' in page]
    assert sorted(seen) == sorted(names)


def test_the_search_is_on_the_server_and_htmx_gets_only_the_table(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("resnet50")
    registry.register_model("vit")
    client = client_of(alice)
    page = text_of(client.get("/models/?q=RES"))
    assert "/models/resnet50/" in page
    assert "/models/vit/" not in page
    part = client.get("/models/?q=vit", headers={"HX-Request": "true"})
    assert "<html" not in text_of(part)
    assert part["HX-Replace-Url"] == "/models/?q=vit"
    assert "contains “nothing”" in text_of(client.get("/models/?q=nothing"))
    assert "/models/resnet50/" not in text_of(client.get("/models/?q=%25"))


def test_an_empty_registry_says_how_to_begin(client_of: ClientOf, alice: User) -> None:
    assert "obeya register my-model" in text_of(client_of(alice).get("/models/"))


@pytest.mark.parametrize(
    "query",
    ["sort=size", "after=x", "after=x&id=y", "sort=versions&after=x&id=1", "q=" + "x" * 257],
)
def test_invalid_parameters_are_a_400_with_a_message(
    client_of: ClientOf, alice: User, query: str
) -> None:
    answer = client_of(alice).get(f"/models/?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in text_of(answer)


def test_the_number_of_statements_does_not_grow_with_the_list(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    counts = []
    for size in (2, 40):
        for number in range(size):
            name = f"m{size}-{number}"
            registry.register_model(name, metrics={"accuracy": 0.5})
            registry.transition_stage(name, 1, Stage.STAGING)
            registry.transition_stage(name, 1, Stage.PRODUCTION)
        client.get("/models/")
        with CaptureQueriesContext(connection) as statements:
            client.get("/models/")
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_visitors_and_accounts_without_permission_have_no_access(
    client: Client, client_of: ClientOf
) -> None:
    assert client.get("/models/").status_code == 302
    assert client_of(User.objects.create_user("nobody")).get("/models/").status_code == 403
