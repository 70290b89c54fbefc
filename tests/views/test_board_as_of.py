"""The board on a past date: `/?at=`, the next pages of its columns, a model's Production."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from boards.models import AuditEvent, User
from boards.registry.database import DatabaseRegistry
from obeya import Stage
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
START = datetime(2026, 3, 3, 12, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


class Clock:
    """A clock that advances a day whenever it is read."""

    def __init__(self) -> None:
        self.now = START - timedelta(days=1)

    def __call__(self) -> datetime:
        self.now += timedelta(days=1)
        return self.now


@pytest.fixture
def history(alice: User) -> DatabaseRegistry:
    registry = DatabaseRegistry(actor=alice, clock=Clock())
    registry.register_model("resnet50", label="tv<b>")  # 3 March
    registry.transition_stage("resnet50", 1, Stage.STAGING)  # 4 March
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)  # 5 March
    registry.register_model("vit")  # 6 March
    registry.delete_model("vit")  # 7 March
    return registry


@pytest.fixture
def client(victor: User, client_of: ClientOf) -> Client:
    return client_of(victor)


def columns(page: str) -> dict[str, str]:
    """Return the columns of a page by stage."""
    found = re.findall(r'<section class="column" data-stage="(\w+)".*?</section>', page, re.DOTALL)
    parts = re.split(r'<section class="column" data-stage="\w+"', page)[1:]
    return dict(zip(found, parts, strict=True))


def test_the_board_links_to_past_dates(history: DatabaseRegistry, client: Client) -> None:
    page = text_of(client.get("/", {"q": "res"}))
    form = page[page.index('<form class="as-of"') :]
    assert 'type="datetime-local"' in form
    assert '<input type="hidden" name="q" value="res">' in form[: form.index("</form>")]


def test_it_shows_the_past_stage_of_every_version(
    history: DatabaseRegistry, client: Client
) -> None:
    page = text_of(client.get("/", {"at": "2026-03-04T13:00"}))
    assert "Board on <time" in page
    assert "2026-03-04 13:00 UTC</time>" in page
    assert '<a href="/">Back to the current board</a>' in page
    assert 'value="2026-03-04T13:00"' in page
    last_moment = text_of(client.get("/", {"at": "2026-03-04"}))
    assert 'value="2026-03-04T23:59:59.999"' in last_moment
    by_stage = columns(page)
    assert "resnet50" in by_stage["staging"]
    assert "tv&lt;b&gt;" in by_stage["staging"]
    assert "by alice" in by_stage["staging"]
    assert "No versions." in by_stage["production"]
    assert [re.search(r'column-count">(\d+)<', c)[1] for c in by_stage.values()] == [
        "0",
        "1",
        "0",
        "0",
    ]


def test_a_past_board_moves_nothing(history: DatabaseRegistry, client: Client) -> None:
    page = text_of(client.get("/", {"at": "2026-03-04T13:00"}))
    for what in (
        "Move to",
        "data-card ",
        "data-board",
        "sortable",
        "board.js",
        'method="post" act',
    ):
        assert what not in page[page.index("<main") : page.index("</main>")]
    assert "sortable" not in page


def test_a_card_links_to_the_event_that_moved_it(history: DatabaseRegistry, client: Client) -> None:
    for number in range(60):
        history.set_description("resnet50", f"text {number}")
    page = text_of(client.get("/", {"at": "2026-03-05T12:00"}))
    event = AuditEvent.objects.get(to_stage="production")
    (link,) = re.findall(rf'href="([^"]+)#event-{event.pk}"', page)
    log = client.get(link.replace("&amp;", "&"))
    assert next(iter(log.context["page"].events)).pk == event.pk
    assert f'id="event-{event.pk}"' in text_of(log)


def test_a_version_deleted_since_is_shown_without_links(
    history: DatabaseRegistry, client: Client
) -> None:
    page = text_of(client.get("/", {"at": "2026-03-06T12:00"}))
    assert '<s title="Deleted since"><span class="card-model">vit</span>' in page
    assert 'href="/models/vit/' not in page
    assert "vit" not in columns(text_of(client.get("/?at=2026-03-07T12:00")))["development"]


def test_text_and_model_filter_and_other_conditions_are_reported_as_ignored(
    history: DatabaseRegistry, client: Client
) -> None:
    at = "2026-03-06T12:00"
    assert "resnet50" not in text_of(client.get("/", {"at": at, "q": "vit"}))
    assert "resnet50" not in text_of(client.get("/", {"at": at, "model": "vit"}))
    page = text_of(client.get("/", {"at": at, "q": "vit", "owner": "bob", "tag": "x"}))
    assert "The filter by owner and tag was ignored" in page
    assert "1 version matches, read-only" in page


def test_a_comparison_in_the_search_is_reported_as_ignored(
    history: DatabaseRegistry, client: Client
) -> None:
    at = "2026-03-06T12:00"
    everything = text_of(client.get("/", {"at": at}))
    page = text_of(client.get("/", {"at": at, "q": "stage = production", "owner": "bob"}))
    assert "The filter by comparison in the search and owner was ignored" in page
    assert columns(page) == columns(everything)
    assert client.get("/", {"at": at, "q": "stage = nowhere"}).status_code == 200
    further = client.get("/board/development/", {"at": at, "q": "stage = production"})
    assert "vit" in text_of(further)


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("<yesterday>", "“&lt;yesterday&gt;” is not a date and time"),
        ("2026-02-30T12:00", "is not a date and time"),
        ("9998-01-01T12:00", "is not a date and time"),
        ("2926-01-01T12:00", "That time is in the future"),
    ],
)
def test_an_invalid_or_future_time_gets_a_message(
    at: str, sentence: str, history: DatabaseRegistry, client: Client
) -> None:
    answer = client.get("/", {"at": at})
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert 'id="as-of"' in text_of(answer)
    assert client.get("/board/staging/", {"at": at}).status_code == 400


def test_an_invalid_filter_gets_a_message(history: DatabaseRegistry, client: Client) -> None:
    answer = client.get("/", {"at": "2026-03-06T12:00", "q": "x" * 257})
    assert answer.status_code == 400
    assert "at most 256 characters" in text_of(answer)


def test_without_a_time_the_board_is_live(history: DatabaseRegistry, client: Client) -> None:
    assert "data-board" in text_of(client.get("/", {"at": " "}))


def test_times_are_in_the_readers_time_zone(
    history: DatabaseRegistry, client: Client, settings: object
) -> None:
    with timezone.override("Asia/Tokyo"):
        assert client.get("/", {"at": "2026-03-03T20:59"}).context["past"].count == 0
        assert client.get("/", {"at": "2026-03-03T21:00"}).context["past"].count == 1


def test_columns_are_paged(history: DatabaseRegistry, client: Client, alice: User) -> None:
    still = DatabaseRegistry(actor=alice, clock=lambda: START)
    for _ in range(70):
        still.register_model("many")
    at = {"at": "2026-03-03T12:00"}
    first = text_of(client.get("/", at))
    (more,) = re.findall(r'<a href="(/board/development/\?[^"]+)">More versions', first)
    address = more.replace("&amp;", "&")
    fragment = text_of(client.get(address, headers=HTMX))
    assert "<html" not in fragment
    assert len(re.findall("data-past-card", first)) == 50
    assert len(re.findall("data-past-card", fragment)) == 21
    whole = text_of(client.get(address))
    assert "Development on <time" in whole
    assert len(re.findall("data-past-card", whole)) == 21


@pytest.mark.parametrize("path", ["/?at=2026-03-03T12:00", "/board/staging/?at=2026-03-03T12:00"])
def test_viewing_requires_the_view_permission(path: str, client_of: ClientOf) -> None:
    assert Client().get(path).status_code == 302
    assert client_of(User.objects.create(username="nobody")).get(path).status_code == 403


# --- In Production on a day -----------------------------------------------------------------------


def test_a_model_shows_what_was_in_production_on_a_day(
    history: DatabaseRegistry, client: Client
) -> None:
    address = "/models/resnet50/"
    assert "Which version was in Production on" in text_of(client.get(address))
    page = text_of(client.get(address, {"production_on": "2026-03-09"}))
    event = AuditEvent.objects.get(to_stage="production")
    assert '<a href="/models/resnet50/versions/1/">v1</a>, from <time' in page
    assert "moved there by alice" in page
    (link,) = re.findall(rf'href="([^"]+)#event-{event.pk}"', page)
    log = client.get(link.replace("&amp;", "&"))
    assert next(iter(log.context["page"].events)).pk == event.pk
    page = text_of(client.get(address, {"production_on": "2026-03-04"}))
    assert "On 2026-03-04, no version was in Production." in page


@pytest.mark.parametrize(
    ("day", "sentence"),
    [("<x>", "“&lt;x&gt;” is not a date"), ("2926-01-01", "That day is in the future.")],
)
def test_an_invalid_or_future_day_gets_a_message(
    day: str, sentence: str, history: DatabaseRegistry, client: Client
) -> None:
    answer = client.get("/models/resnet50/", {"production_on": day})
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert "Versions" in text_of(answer)
