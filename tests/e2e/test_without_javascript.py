"""Everything except dragging works without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage
from tests.e2e.conftest import PASSWORD


@pytest.fixture
def plain(registry: DatabaseRegistry, visit: Callable[..., Page]) -> BoardPage:
    """Open the board in a browser without JavaScript."""
    return BoardPage(visit("/", java_script_enabled=False))


def test_signing_in_leads_to_the_requested_page_and_signing_out_ends_the_session(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    page = visit("/?q=bert", user=None, java_script_enabled=False)
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/\?q=bert$"))
    expect(BoardPage(page).card("bert-base v2")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_board_is_filtered_by_a_button(plain: BoardPage) -> None:
    plain.page.get_by_label("Metric").fill("accuracy >= 0.95")
    plain.page.get_by_role("button", name="Filter").click()
    expect(plain.board.locator("[data-card]")).to_have_count(2)
    expect(plain.page.get_by_label("Metric")).to_have_value("accuracy >= 0.95")
    plain.page.get_by_label("Metric").fill("accuracy above 0.9")
    plain.page.get_by_role("button", name="Filter").click()
    expect(plain.page.locator("#filter-error")).to_contain_text("is not a condition")
    expect(plain.page.get_by_label("Metric")).to_have_value("accuracy above 0.9")


def test_further_versions_of_a_column_have_a_page(
    plain: BoardPage, registry: DatabaseRegistry
) -> None:
    for number in range(1, 61):
        registry.register_model("many", number)
    plain.page.goto("/?q=many")
    expect(plain.column("development").locator("[data-card]")).to_have_count(50)
    plain.column("development").get_by_role("link", name="More versions").click()
    expect(plain.page.get_by_role("heading", level=1)).to_have_text("Development, more versions")
    expect(plain.page.locator("[data-card]")).to_have_count(10)
    plain.page.get_by_role("navigation", name="Breadcrumb").get_by_role("link").click()
    expect(plain.page).to_have_url(re.compile(r"\?q=many$"))


def test_a_card_is_moved_by_a_form_and_the_filter_is_still_there_after(plain: BoardPage) -> None:
    plain.page.goto("/?tag=family%3Dresnet")
    plain.move_link("resnet50 v4").click()
    expect(plain.page.get_by_role("heading", name="Move resnet50 v4")).to_be_visible()
    expect(plain.page.get_by_role("radio", name="Production")).to_be_checked()
    plain.page.get_by_label("Reason").fill("Faster")
    plain.page.get_by_role("button", name="Move").click()
    expect(plain.toasts).to_contain_text(
        "resnet50 v4 moved from Staging to Production; v3 archived"
    )
    expect(plain.page).to_have_url(re.compile(r"/\?tag=family%3Dresnet$"))
    expect(plain.card_in("production", "resnet50 v4")).to_be_attached()
    expect(plain.card_in("archived", "resnet50 v3")).to_be_attached()


def test_cancel_leads_back_to_the_filtered_board(plain: BoardPage) -> None:
    plain.page.goto("/?tag=family%3Dresnet")
    plain.move_link("resnet50 v4").click()
    plain.page.get_by_role("link", name="Cancel").click()
    expect(plain.page).to_have_url(re.compile(r"/\?tag=family%3Dresnet$"))


def test_a_refused_form_lists_the_reasons_and_keeps_its_text(
    plain: BoardPage, registry: DatabaseRegistry
) -> None:
    plain.move_link("resnet50 v4").click()
    plain.page.get_by_label("Reason").fill("Faster")
    registry.log_metrics("resnet50", 4, {"accuracy": 0.5, "latency_p99_ms": 400})
    plain.page.get_by_role("button", name="Move").click()
    page = plain.page
    expect(page.get_by_role("heading", name="resnet50 v4 was not moved")).to_be_visible()
    if page.locator('[data-refusal="conflict"]').count():
        # The form does not know the new metrics yet.
        expect(page.get_by_label("Reason")).to_have_value("Faster")
        return
    expect(page.locator("[data-refusal] li")).to_have_count(2)
    expect(page.get_by_label("Reason")).to_have_value("Faster")


def test_unavailable_stages_are_explained(plain: BoardPage) -> None:
    plain.move_link("resnet50 v5").click()
    expect(plain.page.get_by_role("radio", name="Production")).to_be_disabled()
    option = plain.page.locator(".move-option", has=plain.page.locator("#to-production"))
    expect(option).to_contain_text("latency_p99_ms")


def test_the_theme_is_changed_by_a_button(plain: BoardPage) -> None:
    plain.page.get_by_role("button", name="Theme").click()
    expect(plain.page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(plain.board).to_be_visible()
