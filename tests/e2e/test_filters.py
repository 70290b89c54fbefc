"""Filtering, searching and scrolling the board."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage


def test_the_board_is_searched_while_typing_and_the_address_follows(board: BoardPage) -> None:
    board.page.get_by_label("Search").press_sequentially("bert", delay=20)
    expect(board.card("resnet50 v4")).to_have_count(0)
    expect(board.card("bert-base v2")).to_be_visible()
    expect(board.count("development")).to_have_text("1")
    expect(board.page).to_have_url(re.compile(r"/\?q=bert$"))
    board.page.reload()
    expect(board.page.get_by_label("Search")).to_have_value("bert")
    expect(board.page.locator(".board-summary")).to_contain_text("3 versions match")


@pytest.mark.parametrize(
    ("label", "text", "names"),
    [
        ("Search", "2.2.0", ["resnet50 v5", "resnet50 v6"]),
        ("Search", "resnet v3", ["resnet50 v3"]),
        ("Metric", "accuracy >= 0.95", ["bert-base v3", "resnet50 v4"]),
        ("Tag", "family=resnet", [f"resnet50 v{number}" for number in range(1, 7)]),
        ("Model", "churn", ["churn v1"]),
    ],
)
def test_each_field_narrows_the_board(
    board: BoardPage, label: str, text: str, names: list[str]
) -> None:
    board.page.get_by_role("search", name="Filter the board").get_by_label(label, exact=True).fill(
        text
    )
    expect(board.board.locator("[data-card]")).to_have_count(len(names))
    found = [card.get_attribute("data-name") for card in board.board.locator("[data-card]").all()]
    assert sorted(found) == names


def test_an_owner_is_chosen_from_a_list(board: BoardPage) -> None:
    board.page.get_by_label("Owner").select_option("ada")
    expect(board.page).to_have_url(re.compile(r"\?owner=ada$"))
    expect(board.board.locator("[data-card]")).to_have_count(12)


def test_the_back_button_restores_the_previous_filter(board: BoardPage) -> None:
    tag = board.page.get_by_label("Tag", exact=True)
    tag.fill("family=resnet")
    expect(board.card("bert-base v2")).to_have_count(0)
    board.page.get_by_label("Model", exact=True).fill("bert-base")
    expect(board.board.locator("[data-card]")).to_have_count(0)
    board.page.go_back()
    expect(board.page).to_have_url(re.compile(r"\?tag=family%3Dresnet$"))
    expect(board.board.locator("[data-card]")).to_have_count(6)
    expect(tag).to_have_value("family=resnet")
    expect(board.page.get_by_label("Model", exact=True)).to_have_value("")
    board.page.go_back()
    expect(board.board.locator("[data-card]")).to_have_count(12)
    expect(tag).to_have_value("")
    board.page.go_forward()
    expect(board.board.locator("[data-card]")).to_have_count(6)
    expect(tag).to_have_value("family=resnet")


def test_a_step_back_while_the_page_loads_is_not_lost(board: BoardPage) -> None:
    page = board.page
    page.get_by_label("Tag", exact=True).fill("family=resnet")
    expect(board.card("bert-base v2")).to_have_count(0)
    page.get_by_label("Model", exact=True).fill("bert-base")
    expect(board.board.locator("[data-card]")).to_have_count(0)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/htmx.min*.js", hold)
    with page.expect_request("**/htmx.min*.js"):
        page.go_back(wait_until="commit")
    expect(board.board.locator("[data-card]")).to_have_count(6)
    page.evaluate("history.back()")
    expect(page).to_have_url(re.compile(r"/$"))
    for route in held:
        route.continue_()
    page.unroute("**/htmx.min*.js")
    expect(board.board.locator("[data-card]")).to_have_count(12)


def test_after_a_step_back_cards_can_still_be_moved(board: BoardPage) -> None:
    board.page.get_by_label("Tag", exact=True).fill("family=resnet")
    expect(board.card("bert-base v2")).to_have_count(0)
    board.page.go_back()
    expect(board.card("bert-base v3")).to_be_visible()
    board.move_link("bert-base v3").click()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("staging", "bert-base v3")).to_be_visible()
    board.drag("resnet50 v6", "staging")
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")


def test_back_from_a_version_finds_the_filter_again(board: BoardPage) -> None:
    board.page.get_by_label("Metric").fill("accuracy >= 0.95")
    expect(board.board.locator("[data-card]")).to_have_count(2)
    board.card("resnet50 v4").locator(".card-title a").click()
    expect(board.page).to_have_url(re.compile("/versions/4/$"))
    board.page.go_back()
    expect(board.board.locator("[data-card]")).to_have_count(2)
    expect(board.page.get_by_label("Metric")).to_have_value("accuracy >= 0.95")


def test_an_invalid_condition_is_explained_and_kept(board: BoardPage) -> None:
    metric = board.page.get_by_label("Metric")
    metric.press_sequentially("accuracy above 0.9", delay=10)
    sentence = board.page.locator("#filter-error")
    expect(sentence).to_contain_text("is not a condition")
    expect(metric).to_have_value("accuracy above 0.9")
    expect(metric).to_be_focused()
    expect(metric).to_have_attribute("aria-invalid", "true")
    expect(metric).to_have_accessible_description(re.compile("is not a condition"))
    metric.fill("accuracy >= 0.9")
    expect(sentence).to_have_count(0)
    expect(metric).not_to_have_attribute("aria-invalid", "true")
    expect(board.card("resnet50 v4")).to_be_visible()


def test_an_address_with_an_invalid_condition_explains_it(board: BoardPage) -> None:
    response = board.page.goto("/?metric=accuracy+above+0.9")
    assert response is not None
    assert response.status == 400
    expect(board.page.locator("#filter-error")).to_contain_text("is not a condition")
    expect(board.page.get_by_label("Metric")).to_have_value("accuracy above 0.9")
    expect(board.page.get_by_label("Metric")).to_have_attribute("aria-invalid", "true")


def test_a_filter_without_results_says_so_and_can_be_cleared(board: BoardPage) -> None:
    board.page.get_by_label("Search").fill("no such thing")
    expect(board.column("staging")).to_contain_text("No matching versions.")
    board.page.get_by_role("link", name="Show all").click()
    expect(board.board.locator("[data-card]")).to_have_count(12)
    expect(board.page.get_by_label("Search")).to_have_value("")


def test_a_column_loads_the_next_fifty_as_it_is_scrolled(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    for number in range(1, 61):
        registry.register_model("many", number)
    board.page.goto("/?q=many")
    cards = board.column("development").locator("[data-card]")
    expect(cards).to_have_count(50)
    expect(board.count("development")).to_have_text("60")
    board.column("development").locator(".more").scroll_into_view_if_needed()
    expect(cards).to_have_count(60)
    names = board.names("development")
    assert names == [f"many v{number}" for number in range(60, 0, -1)]
    expect(board.column("development").locator(".more")).to_have_count(0)
    board.drag("many v1", "archived")
    expect(board.dialog).to_be_visible()


def test_the_filter_survives_a_move(board: BoardPage) -> None:
    board.page.get_by_label("Tag", exact=True).fill("family=resnet")
    expect(board.card("bert-base v2")).to_have_count(0)
    board.drag("resnet50 v6", "staging")
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")
    expect(board.page).to_have_url(re.compile("tag=family%3Dresnet"))
    expect(board.board.locator("[data-card]")).to_have_count(6)
    expect(board.count("development")).to_have_text("0")
    expect(board.count("staging")).to_have_text("3")
    expect(board.column("development").locator(".column-empty")).to_be_visible()


def test_a_card_archived_by_a_move_stays_hidden_by_the_filter(board: BoardPage) -> None:
    board.page.get_by_label("Search").fill("resnet50 v4")
    expect(board.board.locator("[data-card]")).to_have_count(1)
    board.move_link("resnet50 v4").click()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    expect(board.count("archived")).to_have_text("0")
    expect(board.card("resnet50 v3")).to_have_count(0)
