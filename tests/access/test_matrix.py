"""The access matrix: every route and method, called by everyone.

`tests/access/table.py` says what each caller gets. Routes are those of the URL resolver, so that a
route without a line fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from django.db import transaction

from tests.access.addresses import RUN_FILES, addresses, request_of
from tests.access.callers import (
    CALLERS,
    LIMITED,
    Outcome,
    accounts,
    outcome_of,
    page_callers,
    take_access_away,
    token_callers,
)
from tests.access.table import Access, listed
from tests.every_route import fill_registry, routes
from tests.offenders import every_case

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Django's admin answers other methods like a GET.
ADMIN_METHODS = ("GET", "POST")
AREAS = {
    "pages": lambda route: not route.startswith(("api/", "admin/", "^")),
    "the API and the MLflow protocol": lambda route: route.startswith(("api/", "^")),
    "the admin": lambda route: route.startswith("admin/"),
}


Choose = Callable[[dict[str, Outcome]], dict[str, Outcome]]


def everyone(expected: dict[str, Outcome]) -> dict[str, Outcome]:
    return expected


def first_and_last(expected: dict[str, Outcome]) -> dict[str, Outcome]:
    """Return the first and the last caller of each outcome, and the one without a group.

    Callers later in the order can do more, so a route that refuses too little or too much differs
    for one of these. The one without a group has a token with every scope, and no permission.
    """
    first = {outcome: name for name, outcome in reversed(expected.items())}
    last = {outcome: name for name, outcome in expected.items()}
    chosen = {"no group", *first.values(), *last.values()}
    return {name: outcome for name, outcome in expected.items() if name in chosen}


def test_every_line_of_the_table_is_a_route_and_no_line_is_twice() -> None:
    lines = Counter((method, route) for method, route, _ in listed())
    assert [line for line, count in lines.items() if count > 1] == []
    assert {route for _, route in lines} == set(routes())


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize(
    "choose",
    [
        pytest.param(first_and_last, id="first and last caller of each outcome"),
        pytest.param(everyone, id="every caller", marks=pytest.mark.release),
    ],
)
def test_every_caller_gets_what_the_table_says(choose: Choose, area: str) -> None:
    fill_registry()
    made = accounts()
    is_page = area != "the API and the MLflow protocol"
    callers = page_callers(made) if is_page else token_callers(made)
    take_access_away(made)
    table: dict[tuple[str, str], Access] = {(m, route): access for m, route, access in listed()}
    found = {route: address for route, address in addresses().items() if AREAS[area](route)}
    assert found
    with every_case() as case:
        for route, address in found.items():
            for method in ADMIN_METHODS if area == "the admin" else METHODS:
                where = f"{method} {route or '/'}"
                request = request_of(method, route)
                # A file that no one stored is stored, not replaced.
                target = f"{address}.new" if (method, route) == ("PUT", RUN_FILES) else address
                access = table.get((method, route))
                if access is None:
                    response = callers["administrator"].send(method, target, *request)
                    with case(f"{where} has no line in tests/access/table.py"):
                        assert response.outcome is Outcome.UNSUPPORTED
                    continue
                expected = {name: access.outcome(name, is_page=is_page) for name in CALLERS}
                for name, wanted in choose(expected).items():
                    response = callers[name].send(method, target, *request)
                    with case(f"{where}, {name}"):
                        assert response.outcome is wanted, f"not {wanted}: {response.text}"


def test_a_stored_answer_is_repeated_only_to_who_gets_it_without_a_key() -> None:
    fill_registry()
    callers = token_callers(accounts())
    table = {route: access for method, route, access in listed() if method == "POST"}
    found = {r: a for r, a in addresses().items() if r.startswith("api/v1/") and r in table}
    stored = 0
    with every_case() as case:
        for route, address in found.items():
            request = ("POST", address, *request_of("POST", route))
            for name in LIMITED:
                with case(f"{route}, {name}"), transaction.atomic():
                    first = callers["administrator"].sent(*request, **{"Idempotency-Key": "k"})
                    again = callers[name].sent(*request, **{"Idempotency-Key": "k"})
                    transaction.set_rollback(True)
                    if "Idempotent-Replayed" in again:
                        stored += 1
                        assert again.content == first.content
                    wanted = table[route].outcome(name, is_page=False)
                    # Whoever knows the key knows that there is something.
                    hidden = {Outcome.HIDDEN, Outcome.DENIED}
                    assert outcome_of(again) in (hidden if wanted in hidden else {wanted})
    assert stored
