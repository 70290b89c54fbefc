"""Hostile addresses: every response is a page or an error message, never a server error."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from boards.models import PolicyCheck, User
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]

# Each as in an address, escaped.
VALUES = [
    "",
    "0",
    "-1",
    "9223372036854775808",
    "9" * 4000,
    "9" * 5000,
    "9" * 18 + "." + "9" * 19,
    "99999999999999999.1",
    "253402300799999999.1",
    "%D9%A3",
    "NaN",
    "1e999",
    "m%3A" + "9" * 5000,
    "%3D",
    "%22a%22%3D%22%5Cud800%22",
    "a%3D%00",
    "a%00b",
    "%ED%A0%80",
    "%FF%FE",
    "%E2%80%A8",
    "%0D%0AX%3A%201",
    "x" * 5000,
    "%CC%81" * 500,
    "%2F%2F%5B",
    "%25",
    "accuracy%20%3E%3D%201e999",
    "accuracy%20%3E%3D%20" + "9" * 500,
    "9999-12-31",
    "0001-01-01T00%3A00%3A00%2B23%3A59",
    "9999-12-31T23%3A59%3A59-23%3A59",
    "9999-12-31T23%3A59%3A59.999999",
    "staging",
]
# The parameters that each page reads; {} is replaced by a value from above.
PAGES = {
    "/": [
        "q={}",
        "model={}",
        "owner={}",
        "tag={}",
        "metric={}",
        "tag=k&tag={}",
        "at={}",
        "at=2026-03-01&q={}&model={}",
    ],
    "/board/staging/": [
        "after={}",
        "q={}",
        "model={}",
        "tag={}",
        "at={}",
        "at=2026-03-01&after={}",
    ],
    "/models/": [
        "q={}",
        "sort={}",
        "sort=updated&id=1&after={}",
        "sort=-updated&after={}",
        "sort=versions&id=1&after={}",
        "sort=name&after=a&id={}",
        "after={}&id=1",
    ],
    "/models/m/": ["sort={}", "below={}", "sort=metric:{}", "production_on={}"],
    "/models/m/compare/": ["a={}&b=1", "v={}", "v=1&v=2&baseline={}"],
    "/models/m/history/": ["actor={}", "after={}", "since={}", "until={}", "stage={}"],
    "/models/m/history/export.csv": ["actor={}", "since={}"],
    "/models/m/rollback/": ["to_version={}", "part=plan&to_version={}", "next={}"],
    "/models/m/versions/1/history/": ["actor={}", "after={}"],
    "/models/m/versions/1/history/export.csv": ["actor={}"],
    "/models/m/versions/1/transition/": ["to={}", "next={}"],
    "/compare/": ["v={}", "v=m:1&v={}", "v={}:1", "v=m:1&v=m:2&baseline={}", "differences={}"],
    "/compare.csv": ["v=m:1&v={}", "v=m:1&v=m:2&baseline={}"],
    "/metrics/define/": ["name={}", "name=accuracy&next={}"],
    "/policies/": ["after={}", "model={}", "model=m&stage={}"],
    "/audit/": [
        "actor={}",
        "action={}",
        "model={}",
        "model=m&version={}",
        "stage={}",
        "stage=staging&side={}",
        "since={}",
        "until={}",
        "channel={}",
        "after={}",
    ],
    "/audit/export.csv": ["actor={}", "model=m&version={}", "since={}", "until={}"],
    "/requests/": ["after={}", "view={}", "view=all&status={}", "view=all&model={}"],
    "/models/m/versions/1/request/": ["to_stage={}", "to_stage=staging&reason={}", "next={}"],
    "/models/m/versions/1/waive/": ["to_stage={}", "to_stage=staging&requirement={}"],
    "/waivers/": ["after={}", "view={}"],
    "/sign-in/": ["next={}"],
}
# The parameters of the pages that the table leaves out.
ANYTHING = ["q={}&after={}&next={}&stage={}&version={}&metric={}"]
NAMED = {
    "<str:name>": "m",
    "<int:number>": "1",
    "<str:stage>": "staging",
    "<uuid:uid>": "CHECK",
    "<uuid:chain>": "CHECK",
    "<int:sequence>": "1",
    "<str:form>": "csv",
    "<str:token>": "x",
}


def _filled(route: str) -> str:
    for part, value in NAMED.items():
        route = route.replace(part, value)
    return route


def _routes() -> list[str]:
    """Return the routes of the pages; the admin belongs to Django."""
    return [
        before + str(pattern.pattern)
        for before, pattern in _patterns(get_resolver().url_patterns, "")
        if pattern.callback.__module__.startswith(("boards.", "django.contrib.auth"))
    ]


def _patterns(
    patterns: list[URLPattern | URLResolver], before: str
) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield before, pattern
        elif not str(pattern.pattern).startswith("admin"):
            yield from _patterns(pattern.url_patterns, before + str(pattern.pattern))


ADDRESSES = sorted({*PAGES, *(f"/{_filled(route)}" for route in _routes())})


@pytest.fixture
def check_id(registry: DatabaseRegistry) -> str:
    """Register what every page of `PAGES` shows; return the id of its first policy check."""
    registry.set_policy(
        PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.5)
    )
    for number in (1, 2):
        registry.register_model("m", metrics={"accuracy": 0.8}, tags={"k": "v"})
        registry.transition_stage("m", number, Stage.STAGING)
    registry.transition_stage("m", 1, Stage.PRODUCTION)
    return str(PolicyCheck.objects.order_by("pk")[0].uid)


@pytest.fixture
def client(check_id: str, client_of: ClientOf, alice: User) -> Client:
    """Return an administrator's browser that gets an error response instead of the exception."""
    client = client_of(alice)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(8, id="an eighth of the values each", marks=pytest.mark.both_engines),
        pytest.param(1, id="all values", marks=pytest.mark.release),
    ],
)
def test_no_parameter_makes_a_page_fail(client: Client, check_id: str, step: int) -> None:
    failed = []
    queries = [(page, query) for page in ADDRESSES for query in PAGES.get(page, ANYTHING)]
    for position, (address, query) in enumerate(queries):
        # Different values for the next query, so that each is tried on many pages.
        for value in VALUES[position % step :: step]:
            page = f"{address.replace('CHECK', check_id)}?{query.replace('{}', value)}"
            status = client.get(page).status_code
            if status >= 500:
                failed.append(f"{status} {page[:160]}")
    assert failed == []


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(8, id="an eighth of the values each", marks=pytest.mark.both_engines),
        pytest.param(1, id="all values", marks=pytest.mark.release),
    ],
)
def test_no_name_or_number_makes_a_page_fail(client: Client, check_id: str, step: int) -> None:
    failed = []
    routes = [(part, route) for part in NAMED for route in _routes() if part in route]
    for position, (part, route) in enumerate(routes):
        for value in filter(None, VALUES[position % step :: step]):
            # On PostgreSQL, a NUL still fails if the history looks up a name.
            if "%00" in value and "/history/" in route:
                continue
            page = f"/{_filled(route.replace(part, value))}".replace("CHECK", check_id)
            status = client.get(page).status_code
            if status >= 500:
                failed.append(f"{status} {page[:160]}")
    assert failed == []


@pytest.mark.parametrize("url", ["http://[", "http://testserver/?tag=%00&q=" + "9" * 5000, "\xff"])
def test_no_current_url_makes_htmx_fail(client: Client, check_id: str, url: str) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": url}
    for address in ADDRESSES:
        page = address.replace("CHECK", check_id)
        assert client.get(page, headers=headers).status_code < 500, address
