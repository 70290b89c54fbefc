"""The comparison of two to six versions: `/compare/`."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from boards.models import User
from boards.registry.database import DatabaseRegistry
from obeya import Metric, Stage
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
ADDRESS = "/compare/?v=a:1&v=b:1"


def plain_text(answer: HttpResponse) -> str:
    """Return the text of a page with single spaces."""
    return " ".join(strip_tags(text_of(answer)).split())


def columns_of(answer: HttpResponse) -> list[str]:
    """Return the versions in the header of the table, left to right."""
    return re.findall(r'class="version-link" href="[^"]*">([^<]*)</a>', text_of(answer))


def links_of(answer: HttpResponse, label: str) -> list[str]:
    """Return the targets of all links with this label, in page order."""
    found = re.findall(r'<a[^>]*href="([^"]*)"[^>]*>(.*?)</a>', text_of(answer), re.DOTALL)
    return [
        href.replace("&amp;", "&")
        for href, inner in found
        if " ".join(strip_tags(inner).split()) == label
    ]


def row_of(answer: HttpResponse, name: str) -> str:
    """Return the text of one row of the table."""
    for row in re.findall(r"<tr>.*?</tr>", text_of(answer), re.DOTALL):
        words = " ".join(strip_tags(row.replace("<t", " <t")).split())
        if words == name or words.startswith(f"{name} "):
            return words
    raise AssertionError(f"no row {name}")


def has_row(answer: HttpResponse, name: str) -> bool:
    try:
        return bool(row_of(answer, name))
    except AssertionError:
        return False


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
        source_run="run-7",
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
        artifact_path="s3://b",
        description="Second try.",
    )
    return registry


@pytest.fixture
def many(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Register m v1 to v7, with v3 as the champion; and n v1, whose model has no champion."""
    for number in range(1, 8):
        registry.register_model("m", number, {"accuracy": 0.5 + number / 100, "loss": 1.0})
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        registry.transition_stage("m", 3, stage)
    registry.register_model("n", 1, {"accuracy": 0.6, "loss": 0.9})
    return registry


# --- The table ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("accuracy", "0.8 0.9 ↑ +0.1 ✓ better +12.5 % better"),
        ("loss", "0.5 0.6 ↑ +0.1 ✗ worse +20 % worse"),
        ("classes", "10 20 ↑ +10 changed +100 % changed"),
        ("same", "1 1 = 0 equal 0 % equal"),
        ("f1", "0.9 0.91 ≈ +0.01 within noise +1.111 % within noise"),
        ("auc", "0.9 0.95 not comparable"),
        ("only_a", "1 – not measured"),
        ("only_b", "– 1 only here"),
        ("zero", "0 1 ↑ +1 changed undefined changed"),
    ],
)
def test_every_outcome_is_shown_with_values_difference_and_percent_change(
    two: DatabaseRegistry, client_of: ClientOf, alice: User, metric: str, words: str
) -> None:
    row = row_of(client_of(alice).get(ADDRESS), metric)
    assert row.endswith(words)


def test_each_version_has_a_summary(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    two.register_model("b", metrics={"accuracy": 0.8, "loss": 0.1})
    words = plain_text(client_of(alice).get(f"{ADDRESS}&v=b:2"))
    assert "b v1: 1 better, 1 worse, 1 within noise, 3 compared" in words
    assert "b v2: 1 better, 0 worse, 1 equal, 2 compared" in words


def test_values_are_short_and_their_titles_have_all_details(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("a", metrics={"x": Metric("x", 0.123456789, 500, 0.25, "test")})
    registry.register_model("a", metrics={"x": 2.0})
    page = text_of(client_of(alice).get("/compare/?v=a:1&v=a:2"))
    assert 'title="0.123456789 ± 0.25, 500 samples, on test">0.1235<' in page


def test_a_bar_is_as_long_as_its_part_of_the_largest_change_of_the_row(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for value in (100, 150, 75, 100):
        registry.register_model("a", metrics={"accuracy": value})
    page = text_of(client_of(alice).get("/compare/?v=a:1&v=a:2&v=a:3&v=a:4"))
    bars = re.findall(r'bar bar-(\w+)".*?<rect x="(-?\d+)" y="2" width="(\d+)"', page)
    assert bars == [("better", "0", "48"), ("worse", "-24", "24"), ("equal", "0", "0")]


def test_everything_else_is_shown_side_by_side(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    answer = client_of(alice).get(ADDRESS)
    assert row_of(answer, "team") == "team ≠ differs nlp –"
    assert row_of(answer, "Source run") == "Source run ≠ differs run-7 –"
    assert row_of(answer, "Artifact") == "Artifact ≠ differs – s3://b"
    assert row_of(answer, "Description") == "Description ≠ differs – Second try."
    assert row_of(answer, "Stage") == "Stage Development Development"
    assert row_of(answer, "Owner") == "Owner alice alice"
    assert has_row(answer, "Registered ≠ differs")
    assert not has_row(answer, "Label")


def test_a_tag_that_is_empty_is_not_one_that_is_missing(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("a", tags={"draft": ""})
    registry.register_model("a")
    answer = client_of(alice).get("/compare/?v=a:1&v=a:2")
    assert row_of(answer, "draft") == "draft ≠ differs (empty) –"


def test_only_differences_leaves_out_what_is_the_same_in_all(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    (switch,) = links_of(client.get(ADDRESS), "Only differences")
    answer = client.get(switch)
    assert "differences=1" in switch
    assert has_row(answer, "accuracy")
    assert has_row(answer, "team")
    assert not has_row(answer, "same")
    assert not has_row(answer, "Owner")
    (back,) = links_of(answer, "Show all")
    assert has_row(client.get(back), "same")


def test_versions_that_do_not_differ_say_so(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for _ in range(2):
        registry.register_model("a", metrics={"f1": 1.0})
    answer = client_of(alice).get("/compare/?v=a:1&v=a:2&differences=1")
    assert "No differences in 1 metric." in plain_text(answer)


# --- Versions and the baseline --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        # The champion is added in front if there is room and no baseline was stated.
        ("v=m:1&v=m:2", ["m v3", "m v1", "m v2"]),
        ("v=m:1", ["m v3", "m v1"]),
        ("v=m:1&v=m:3", ["m v3", "m v1"]),
        ("v=m:1&v=n:1&v=m:3", ["m v3", "m v1", "n v1"]),
        ("v=m:1&v=m:2&v=m:4&v=m:5&v=m:6&v=m:7", [f"m v{n}" for n in (1, 2, 4, 5, 6, 7)]),
        # The champion of the first version's model; without a champion, the first version.
        ("v=n:1&v=m:1", ["n v1", "m v1"]),
        # A stated baseline is used.
        ("v=m:1&v=m:2&baseline=0", ["m v1", "m v2"]),
        ("v=m:1&v=m:2&baseline=1", ["m v2", "m v1"]),
        ("v=m:1&v=m:1&v=m:2&baseline=2", ["m v2", "m v1"]),
        # Empty values are ignored, and duplicates count once.
        ("v=m:1&v=&v=m:01&v=m%20v2&baseline=0", ["m v1", "m v2"]),
    ],
)
def test_the_baseline_is_the_first_column(
    many: DatabaseRegistry, client_of: ClientOf, alice: User, query: str, columns: list[str]
) -> None:
    answer = client_of(alice).get(f"/compare/?{query}")
    assert columns_of(answer) == columns
    assert f"compared with the baseline {columns[0]}" in plain_text(answer)


def test_any_version_can_be_made_the_baseline_or_removed(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    answer = client.get("/compare/?v=m:1&v=n:1")
    assert columns_of(answer) == ["m v3", "m v1", "n v1"]
    (other,) = links_of(answer, "set as baseline n v1")
    turned = client.get(other)
    assert columns_of(turned) == ["n v1", "m v3", "m v1"]
    (without,) = links_of(turned, "remove m v3")
    # A removed champion is not added again.
    assert columns_of(client.get(without)) == ["n v1", "m v1"]
    (without,) = links_of(turned, "remove n v1")
    assert columns_of(client.get(without)) == ["m v3", "m v1"]
    (last,) = links_of(client.get(without), "remove m v3")
    assert "Only m v1 is selected" in plain_text(client.get(last))


def test_the_address_to_share_keeps_the_baseline_when_another_becomes_champion(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    (link,) = links_of(client.get("/compare/?v=m:1&v=m:2"), "Link to this")
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        many.transition_stage("m", 5, stage)
    assert columns_of(client.get(link)) == ["m v3", "m v1", "m v2"]
    assert columns_of(client.get("/compare/?v=m:1&v=m:2"))[0] == "m v5"
    assert links_of(client.get(link), "Link to this") == []


def test_a_version_is_added_by_a_form_that_keeps_the_rest(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    page = text_of(client.get("/compare/?v=m:1&v=m:2&baseline=1&differences=1"))
    form = page[page.index('<form class="filters"') : page.index("</form>", page.index("filters"))]
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    answer = client.get(f"/compare/?{urlencode([*hidden, ('v', 'n:1')])}")
    assert columns_of(answer) == ["m v2", "m v1", "n v1"]
    assert links_of(answer, "Show all")
    assert '<option value="m:7">' in form
    assert '<option value="m:1">' not in form


def test_at_most_six_versions_are_compared(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    query = "&".join(f"v=m:{number}" for number in range(1, 7))
    answer = client_of(alice).get(f"/compare/?{query}")
    assert len(columns_of(answer)) == 6
    assert "Remove one to add another" in plain_text(answer)
    assert "Add a version" not in plain_text(answer)


@pytest.mark.parametrize("address", ["/compare/", "/compare/?v=&v=", "/compare/?v=n:1"])
def test_with_fewer_than_two_versions_it_asks_for_more(
    many: DatabaseRegistry, client_of: ClientOf, alice: User, address: str
) -> None:
    answer = client_of(alice).get(address)
    assert answer.status_code == 200
    assert text_of(answer).count('<input class="input" id="pick-') == 2
    expected = "Choose another" if "n:1" in address else "Enter 2 to 6 versions"
    assert expected in plain_text(answer)


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("v=a:1&v=none:1", 404, "no registered model named “none”"),
        ("v=a:1&v=b:9", 404, "b has no version 9"),
        ("v=a:1&v=b%00:1", 404, "no registered model named"),
        ("v=a:1&v=b", 400, "“b” is not a version"),
        ("v=a:1&v=b:x", 400, "“b:x” is not a version"),
        ("v=a:1&v=:1", 400, "“:1” is not a version"),
        ("v=a:1&v=b:0", 400, "A version number must be"),
        ("v=a:1&v=b:²", 400, "is not a version"),
        (f"v=a:1&v=b:{10**30}", 400, "A version number must be"),
        (f"v=a:1&v=b:{'9' * 5000}", 400, "A version number must be"),
        ("v=a:1&v=b:1&baseline=2", 400, "Unknown baseline"),
        ("v=a:1&v=b:1&baseline=-1", 400, "Unknown baseline"),
        ("v=a:1&v=b:1&baseline=x", 400, "Unknown baseline"),
        (f"v=a:1&v=b:1&baseline={'9' * 5000}", 400, "Unknown baseline"),
        (
            "v=a:1&" + "&".join(f"v=b:{n}" for n in range(1, 8)),
            400,
            "You can compare at most 6 versions",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_unknown_or_invalid_versions_are_explained_and_can_be_replaced(
    two: DatabaseRegistry, client_of: ClientOf, alice: User, query: str, status: int, sentence: str
) -> None:
    answer = client_of(alice).get(f"/compare/?{query}")
    assert answer.status_code == status
    assert sentence in plain_text(answer)
    assert 'role="alert"' in text_of(answer)
    assert 'value="a:1"' in text_of(answer)
    assert client_of(alice).get(f"/compare.csv?{query}").status_code == status


@pytest.mark.parametrize("name", ["模型 ü", "a&b=c", "100%", "<script>alert(1)<", "a?b#c", "a v1"])
def test_any_name_can_be_compared(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, name: str
) -> None:
    for _ in range(3):
        registry.register_model(name, metrics={"<i>": 1.0})
    client = client_of(alice)
    query = urlencode([("v", f"{name}:1"), ("v", f"{name}:2")])
    answer = client.get(f"/compare/?{query}")
    assert answer.status_code == 200
    assert "<script>alert" not in text_of(answer)
    assert "&lt;i&gt;" in text_of(answer)
    assert "<i>" not in text_of(answer)
    for label in ("set as baseline", "remove"):
        link = next(
            href.replace("&amp;", "&")
            for href in re.findall(rf'<a href="([^"]*)">{label}', text_of(answer))
        )
        assert client.get(link).status_code == 200
        assert parse_qsl(urlsplit(link).query)[0][1].startswith(name)


def test_the_number_of_statements_does_not_grow_with_the_versions(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    client.get("/compare/?v=m:1&v=m:2")
    with CaptureQueriesContext(connection) as few:
        client.get("/compare/?v=m:1&v=m:2&baseline=0")
    with CaptureQueriesContext(connection) as more:
        client.get("/compare/?v=m:1&v=m:2&v=n:1&v=m:5&v=m:6")
    assert len(few) == len(more)


def test_a_deleted_version_is_not_found(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    many.delete_version("m", 2)
    assert client_of(alice).get("/compare/?v=m:1&v=m:2").status_code == 404


# --- Links to the page ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("a=1&b=2", ["m v1", "m v2"]),
        ("a=1&b=2&baseline=1", ["m v2", "m v1"]),
        ("v=1&v=2&v=n:1&baseline=0", ["m v1", "m v2", "n v1"]),
        ("v=1", ["m v3", "m v1"]),
    ],
)
def test_the_address_of_a_model_leads_to_the_comparison(
    many: DatabaseRegistry, client_of: ClientOf, alice: User, query: str, columns: list[str]
) -> None:
    answer = client_of(alice).get(f"/models/m/compare/?{query}&differences=1", follow=True)
    assert answer.redirect_chain[0][0].startswith("/compare/?")
    assert columns_of(answer) == columns
    assert links_of(answer, "Show all")


def test_the_pages_of_models_and_versions_link_to_the_comparison(
    many: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    (link,) = links_of(client.get("/models/m/versions/1/"), "Compare with the champion, v3")
    assert columns_of(client.get(link)) == ["m v3", "m v1"]
    (link,) = links_of(client.get("/models/n/versions/1/"), "Compare…")
    assert "Choose another" in plain_text(client.get(link))
    model = text_of(client.get("/models/m/"))
    assert '<form class="stack" method="get" action="/compare/">' in model
    assert 'name="v" value="m:7"' in model


def test_visitors_and_accounts_without_permission_have_no_access(
    two: DatabaseRegistry, client: Client, client_of: ClientOf
) -> None:
    nobody = client_of(User.objects.create_user("nobody"))
    for address in (ADDRESS, ADDRESS.replace("/compare/", "/compare.csv")):
        assert client.get(address).status_code == 302
        assert nobody.get(address).status_code == 403


def test_links_to_definitions_require_the_permission_to_edit_them(
    two: DatabaseRegistry, client_of: ClientOf, alice: User, victor: User
) -> None:
    links = links_of(client_of(alice).get(ADDRESS), "edit")
    back = urlencode({"next": "/compare/?v=a%3A1&v=b%3A1&baseline=0"})
    assert links[0] == f"/metrics/define/?name=accuracy&{back}"
    assert links_of(client_of(victor).get(ADDRESS), "edit") == []
