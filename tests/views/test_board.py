"""The board: `/` and the next pages of its columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from boards.access.actors import SYSTEM
from boards.models import Alias, ModelVersion, User
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.metrics import MetricDefinition
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/"}


@pytest.fixture
def board(registry: DatabaseRegistry) -> DatabaseRegistry:
    registry.set_policy(
        PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
    )
    registry.register_model("resnet50", metrics={"accuracy": 0.95}, tags={"family": "resnet"})
    registry.register_model("resnet50", metrics={"accuracy": 0.5}, label="tv_in1k")
    registry.register_model("vit", metrics={"accuracy": 0.97})
    registry.transition_stage("vit", 1, Stage.STAGING)
    return registry


def test_shows_four_columns_with_their_counts(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    page = text_of(client_of(alice).get("/"))
    assert [stage.label for stage in Stage if f'id="column-{stage}"' in page] == [
        "Development",
        "Staging",
        "Production",
        "Archived",
    ]
    assert '<span class="column-count" id="count-development">2</span>' in page
    assert '<span class="column-count" id="count-staging">1</span>' in page
    assert "resnet50" in page
    assert "vit" in page


def test_a_card_shows_whether_it_would_pass(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    page = text_of(client_of(alice).get("/"))
    assert "Ready for Staging" in page
    assert "Fails 1 requirement" in page
    assert "accuracy is 0.5; required: ≥ 0.9." in page


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("q=resnet", "resnet50", "vit"),
        ("q=tv_in1k", "tv_in1k", "vit"),
        ("q=resnet50+v1", 'data-name="resnet50 v1"', 'data-name="resnet50 v2"'),
        ("model=vit", "vit", 'data-name="resnet50'),
        ("tag=family%3Dresnet", 'data-name="resnet50 v1"', 'data-name="resnet50 v2"'),
        ("metric=accuracy+%3E%3D+0.96", 'data-name="vit v1"', 'data-name="resnet50'),
        ("owner=alice", "vit", "No matching versions everywhere"),
        ("owner=nobody", "0 versions match", "data-card "),
    ],
)
def test_the_filter_of_the_address_is_applied(
    board: DatabaseRegistry,
    client_of: Callable[[User], Client],
    alice: User,
    query: str,
    shown: str,
    hidden: str,
) -> None:
    page = text_of(client_of(alice).get(f"/?{query}"))
    assert shown in page
    assert hidden not in page


def test_an_invalid_condition_is_explained_beside_the_filter(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    answer = client_of(alice).get("/?metric=accuracy+is+high")
    assert answer.status_code == 400
    assert "is not a condition" in text_of(answer)
    assert 'value="accuracy is high"' in text_of(answer)


def test_the_search_takes_the_filter_language(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    asked = 'metrics.accuracy > 0.9 and not tags.family = "resnet"'
    page = text_of(client_of(alice).get("/", {"q": asked}))
    assert 'data-name="vit v1"' in page
    assert "resnet50" not in page
    assert f'value="{escape(asked)}"' in page
    assert "1 version matches" in page
    column = text_of(client_of(alice).get("/board/staging/", {"q": asked}))
    assert "vit" in column


def test_the_search_finds_words_without_a_comparison(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    page = text_of(client_of(alice).get("/", {"q": "resnet50 v2"}))
    assert 'data-name="resnet50 v2"' in page
    assert 'data-name="resnet50 v1"' not in page


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_an_invalid_filter_is_shown_with_the_position_marked(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User, headers: dict
) -> None:
    answer = client_of(alice).get(
        "/", {"q": "has label and stage = <live>", "owner": "nobody"}, headers=headers
    )
    page = text_of(answer)
    assert answer.status_code == 400
    assert 'id="filter-error" role="alert" data-field="q"' in page
    assert "Found “&lt;” where a stage was expected." in page
    assert "has label and stage = <mark>&lt;</mark>live&gt;</code>" in page
    # The other fields still apply.
    assert "0 versions match" in page
    assert headers or 'aria-invalid="true" aria-describedby="filter-error"' in page
    assert headers or 'value="has label and stage = &lt;live&gt;"' in page
    cut = text_of(client_of(alice).get("/", {"q": "label ="}))
    assert "Found the end where a text in quotes was expected." in cut
    assert "label =<mark> </mark>" in cut


def test_htmx_gets_only_the_columns_and_the_address_to_show(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    answer = client_of(alice).get("/?q=vit&metric=&tag=", headers=HTMX)
    assert "<html" not in text_of(answer)
    assert answer["HX-Replace-Url"] == "/?q=vit"
    assert "HX-Request" in answer["Vary"]
    pushed = client_of(alice).get("/?owner=alice", headers=HTMX)
    assert pushed["HX-Push-Url"] == "/?owner=alice"


def test_an_empty_registry_says_how_to_register_the_first_version(
    client_of: Callable[[User], Client], alice: User
) -> None:
    assert "obeya register my-model" in text_of(client_of(alice).get("/"))


def test_an_empty_filter_result_says_so(
    board: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    page = text_of(client_of(alice).get("/?q=nothing-like-this"))
    assert "0 versions match" in page
    assert "Show all" in page


def test_a_column_continues_where_its_page_ended(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    for _ in range(53):
        registry.register_model("many")
    client = client_of(alice)
    first = text_of(client.get("/"))
    address = first.split('hx-get="/board/development/')[1].split('"')[0]
    rest = text_of(client.get(f"/board/development/{address}", headers=HTMX))
    assert first.count("data-card ") == 50
    assert rest.count("data-card ") == 3
    whole = client.get(f"/board/development/{address}")
    assert "<html" in text_of(whole)


@pytest.mark.parametrize("address", ["/board/nowhere/", "/board/staging/?after=x"])
def test_an_invalid_column_is_a_400_with_a_message(
    client_of: Callable[[User], Client], alice: User, address: str
) -> None:
    answer = client_of(alice).get(address)
    assert answer.status_code == 400
    assert "Traceback" not in text_of(answer)


def test_the_filter_suggests_metrics_that_were_measured_or_defined(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    registry.register_model("one", metrics={"top1": 0.5})
    definition = MetricDefinition("latency_ms")
    define_metric(definition=definition, actor=SYSTEM, at=datetime.now(UTC))
    page = text_of(client_of(alice).get("/"))
    names = ("latency_ms", "top1")
    options = "".join(f'<option value="{name} &gt;= "></option>' for name in names)
    assert f"{options}</datalist>" in page


def test_cards_show_their_governed_aliases(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    for _ in range(2):
        registry.register_model("one")
    registry.set_alias("one", "best", 2)
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        registry.transition_stage("one", 1, stage)
    client = client_of(alice)
    page = text_of(client.get("/"))
    assert page.count("@champion") == 1
    assert "Governed alias: follows Production." in page
    assert "@best" not in page
    second = ModelVersion.objects.get(number=2)
    Alias.objects.filter(name="champion").update(version=second)
    page = text_of(client.get("/"))
    said = "“champion” points to v2, which is in Development, not in Production. Set it to v1."
    assert f'<span class="lamp lamp-attention" title="{said}">@champion' in page


def test_the_number_of_statements_does_not_grow_with_the_board(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    client = client_of(alice)
    registry.register_model("one", metrics={"accuracy": 0.5})
    client.get("/")
    with CaptureQueriesContext(connection) as few:
        client.get("/")
    for number in range(30):
        registry.register_model(f"model-{number}", metrics={"accuracy": 0.5})
    with CaptureQueriesContext(connection) as many:
        client.get("/")
    assert len(many) == len(few)


def test_visitors_are_sent_to_sign_in_and_accounts_without_permission_refused(
    client: Client, client_of: Callable[[User], Client]
) -> None:
    assert client.get("/").headers["Location"].startswith("/sign-in/")
    nobody = User.objects.create_user("nobody")
    answer = client_of(nobody).get("/")
    assert answer.status_code == 403
    assert "does not have permission to view the registry" in text_of(answer)


def test_names_are_escaped(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    registry.register_model("<script>alert(1)<", label='"><img src=x onerror=alert(1)>')
    page = text_of(client_of(alice).get("/"))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
