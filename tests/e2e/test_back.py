"""Going back: the page shows what has changed since, and what was typed is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage
from tests.e2e.board_page import BoardPage

Visit = Callable[..., Page]
# What a browser sends to a page that it kept in memory. Playwright's browsers keep none.
FROM_MEMORY = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"


@pytest.fixture(autouse=True)
def _requests_last(settings: Any) -> None:
    """Keep requests open for 60 days: the clock of the small registry is a month behind."""
    settings.OBEYA_REQUEST_DAYS = 60


def test_the_board_shows_the_moves_of_others_and_keeps_the_typed_text(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    page = board.page
    page.get_by_label("Find a model").fill("whis")
    before = int(board.count("development").inner_text())
    page.get_by_role("link", name="bert-base v2", exact=True).click()
    expect(page).to_have_url(re.compile("/models/bert-base/versions/2/"))

    registry.transition_stage("resnet50", 6, Stage.STAGING)
    for number in range(1, 61):
        registry.register_model("many", number)
    page.go_back()
    expect(board.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(board.card("resnet50 v6")).to_have_count(1)
    expect(board.count("development")).to_have_text(str(before + 59))
    expect(page.get_by_label("Find a model")).to_have_value("whis")
    # What was added works like the rest of the page.
    cards = board.column("development").locator("[data-card]")
    expect(cards).to_have_count(50)
    board.column("development").locator(".more").scroll_into_view_if_needed()
    expect(cards).to_have_count(before + 59)
    board.drag("resnet50 v6", "archived")
    expect(board.dialog).to_be_visible()


def test_a_review_keeps_its_comment_and_shows_the_new_evidence(
    registry_of: Callable[[str], DatabaseRegistry],
    registry: DatabaseRegistry,
    visit: Visit,
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_approvals(1)
    )
    registry_of("grace").request_transition("resnet50", 4, Stage.PRODUCTION)
    page = visit("/requests/?view=all", user="bob")
    page.get_by_role("link", name="resnet50 v4").click()
    page.get_by_label("Comment").fill("Looks good to me")
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()

    registry.log_metrics("resnet50", 4, {"accuracy": 0.991})
    page.go_back()
    expect(page.get_by_role("main")).to_contain_text("0.991")
    expect(page.get_by_label("Comment")).to_have_value("Looks good to me")
    # The comment was written about other evidence, so the server shows the page again first.
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_label("Comment")).to_have_value("Looks good to me")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("main")).to_contain_text("Approved")


def test_a_page_of_the_admin_is_loaded_again(registry: DatabaseRegistry, visit: Visit) -> None:
    page = visit("/admin/boards/registeredmodel/", user="ada")
    page.goto("/policies/")
    registry.register_model("registered-meanwhile")
    page.go_back()
    expect(page.get_by_role("link", name="registered-meanwhile")).to_be_visible()


def test_after_signing_out_the_page_asks_to_sign_in(board: BoardPage) -> None:
    page = board.page
    page.get_by_role("link", name="Policies").click()
    page.context.clear_cookies()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_page_from_the_memory_of_the_browser_is_updated(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    page = board.page
    page.get_by_label("Search").fill("resnet50")
    expect(board.card("bert-base v2")).to_have_count(0)
    page.get_by_label("Find a model").fill("whis")
    board.drag("resnet50 v4", "production")
    board.dialog.get_by_label("Reason").fill("Faster")

    registry.transition_stage("resnet50", 6, Stage.STAGING)
    page.evaluate(FROM_MEMORY)
    expect(board.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(board.card("bert-base v2")).to_have_count(0)
    expect(page.get_by_label("Search")).to_have_value("resnet50")
    expect(page.get_by_label("Find a model")).to_have_value("whis")
    expect(board.dialog.get_by_label("Reason")).to_have_value("Faster")
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()


def test_a_policy_that_is_being_edited_is_kept(registry: DatabaseRegistry, visit: Visit) -> None:
    page = visit("/policies/production/edit/", user="ada")
    page.get_by_role("button", name="Add requirement").click()
    rows = page.locator("[name=metric]")
    expect(rows).to_have_count(3)
    # The impact preview of the draft is requested once the page is updated.
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.evaluate(FROM_MEMORY)
    expect(rows).to_have_count(3)
