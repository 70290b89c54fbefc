"""The response after a move, even if its versions have changed since."""

from __future__ import annotations

import pytest
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django_htmx.middleware import HtmxDetails

from boards.models import User
from boards.registry.database import DatabaseRegistry
from boards.views.board.moved import moved_answer
from obeya import Stage
from obeya.records import StageTransition
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(alice: User):
    """Return a function that gives the response to a move, as the board requests it."""

    def answer(moved: StageTransition):
        request = RequestFactory().post(
            "/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/"}
        )
        request.user, request.htmx = alice, HtmxDetails(request)
        request._messages = CookieStorage(request)
        return moved_answer(request, moved)

    return answer


def promoted(registry: DatabaseRegistry, name: str, others: int) -> StageTransition:
    """Promote a model's last version to Production and archive the others; return the move."""
    for number in range(1, others + 2):
        registry.register_model(name, metrics={"accuracy": 0.8})
        registry.transition_stage(name, number, Stage.STAGING)
        if number <= others:
            registry.transition_stage(name, number, Stage.PRODUCTION)
    return registry.transition_stage(name, others + 1, Stage.PRODUCTION, archive_existing=True)


def test_the_statements_do_not_grow_with_what_a_move_archives(registry, ask):
    taken = []
    for others in (1, 7):
        moved = promoted(registry, f"model{others}", others)
        assert len(moved.archived) == others
        with CaptureQueriesContext(connection) as statements:
            answer = ask(moved)
        assert text_of(answer).count("data-card ") == others + 1
        taken.append(len(statements))
    assert taken[0] == taken[1]


def test_an_archived_version_that_was_deleted_since_is_left_out(registry, ask):
    moved = promoted(registry, "m", 2)
    registry.delete_version("m", 1)
    answer = ask(moved)
    page = text_of(answer)
    assert answer.status_code == 200
    assert "m v3 moved from Staging to Production; v1, v2 archived" in page
    assert 'data-name="m v2"' in page
    assert 'data-name="m v1"' not in page


def test_the_former_champion_is_shown_without_its_mark(registry, ask):
    for _ in range(3):
        registry.register_model("m")
    for number in (1, 2, 3):
        registry.transition_stage("m", number, Stage.STAGING)
    for number in (1, 2):
        moved = registry.transition_stage("m", number, Stage.PRODUCTION)
    page = text_of(ask(moved))
    cards = {part.partition('"')[0]: part for part in page.split('data-name="m ')[1:]}
    # v3 is the last in Staging now, which an alias could follow.
    assert list(cards) == ["v2", "v3", "v1"]
    assert [name for name, card in cards.items() if "@champion" in card] == ["v2"]
    assert page.count('hx-swap="outerHTML"') == 2


@pytest.mark.parametrize("deletion", ["version", "model"])
def test_a_move_of_a_version_deleted_since_is_still_reported(registry, ask, deletion):
    moved = promoted(registry, "m", 1)
    if deletion == "version":
        registry.delete_version("m", 2)
    else:
        registry.delete_model("m")
    answer = ask(moved)
    assert answer.status_code == 200
    assert answer["HX-Refresh"] == "true"
