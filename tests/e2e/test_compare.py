"""Selecting cards on the board, and comparing their versions."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage


def start(board: BoardPage) -> None:
    """Start selecting cards."""
    board.page.get_by_role("button", name="Select", exact=True).click()
    expect(board.picks).to_be_visible()


def heads(page: Page) -> Locator:
    """Return the versions in the header of the comparison."""
    return page.locator(".compare thead .version-link")


def test_cards_are_selected_and_compared(board: BoardPage) -> None:
    expect(board.picks).to_be_hidden()
    expect(board.pick("resnet50 v4")).to_be_hidden()
    start(board)
    for name in ("resnet50 v4", "bert-base v2", "resnet50 v5"):
        board.pick(name).check()
    expect(board.picks).to_contain_text("3 selected")
    expect(board.live).to_have_text("3 selected")
    board.picks.get_by_role("button", name="Remove resnet50 v5").click()
    expect(board.picks).to_contain_text("2 selected")
    expect(board.pick("resnet50 v5")).not_to_be_checked()
    board.picks.get_by_role("button", name="Compare").click()
    expect(heads(board.page)).to_have_text(["resnet50 v3", "resnet50 v4", "bert-base v2"])
    assert parse_qs(urlsplit(board.page.url).query) == {"v": ["resnet50:4", "bert-base:2"]}


def test_cards_are_selected_by_keyboard(board: BoardPage) -> None:
    toggle = board.page.get_by_role("button", name="Select", exact=True)
    toggle.press("Enter")
    first = board.names("development")[0]
    expect(board.pick(first)).to_be_focused()
    board.page.keyboard.press("Space")
    expect(board.pick(first)).to_be_checked()
    board.pick("resnet50 v5").press("Space")
    expect(board.picks).to_contain_text("2 selected")
    board.picks.get_by_role("button", name="Remove resnet50 v5").press("Enter")
    expect(board.picks.get_by_role("button", name=f"Remove {first}")).to_be_focused()
    board.picks.get_by_role("button", name="Close").press("Enter")
    expect(board.picks).to_be_hidden()
    expect(toggle).to_be_focused()


def test_the_selection_survives_filters_moves_and_other_pages(board: BoardPage) -> None:
    start(board)
    board.pick("resnet50 v6").check()
    board.pick("bert-base v3").check()
    board.page.get_by_label("Search").fill("resnet")
    expect(board.card("bert-base v3")).to_have_count(0)
    expect(board.pick("resnet50 v6")).to_be_checked()
    expect(board.picks).to_contain_text("bert-base v3")
    board.move_link("resnet50 v6").click()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(board.pick("resnet50 v6")).to_be_checked()
    board.page.goto("/models/resnet50/")
    board.page.goto("/")
    expect(board.pick("resnet50 v6")).to_be_checked()
    expect(board.pick("bert-base v3")).to_be_checked()
    board.picks.get_by_role("button", name="Clear").click()
    expect(board.pick("resnet50 v6")).not_to_be_checked()
    board.page.reload()
    expect(board.picks).to_be_hidden()


def test_at_most_six_cards_are_selected(board: BoardPage) -> None:
    start(board)
    names = [*board.names("archived"), *board.names("staging"), *board.names("production")]
    names += board.names("development")
    for name in names[:6]:
        board.pick(name).check()
    board.pick(names[6]).click()
    expect(board.pick(names[6])).not_to_be_checked()
    expect(board.picks).to_contain_text("You can compare at most 6 versions.")
    board.picks.get_by_role("button", name="Compare").click()
    expect(heads(board.page)).to_have_count(6)


def test_a_selected_card_can_be_dragged(board: BoardPage) -> None:
    start(board)
    board.pick("resnet50 v6").check()
    board.drag("resnet50 v6", "staging")
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")
    expect(board.pick("resnet50 v6")).to_be_checked()


def test_without_scripts_the_boxes_are_a_plain_form(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    board = BoardPage(visit("/", java_script_enabled=False))
    for name in ("resnet50 v4", "resnet50 v5"):
        board.pick(name).check()
    board.picks.get_by_role("button", name="Compare").click()
    expect(heads(board.page)).to_have_text(["resnet50 v3", "resnet50 v5", "resnet50 v4"])


def test_versions_are_selected_on_the_models_page_and_links_change_the_comparison(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    page = visit("/models/resnet50/", java_script_enabled=False)
    for number in (3, 4):
        page.get_by_label(f"Compare v{number}").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(heads(page)).to_have_text(["resnet50 v3", "resnet50 v4"])
    page.get_by_role("link", name="set as baseline resnet50 v4").click()
    expect(heads(page)).to_have_text(["resnet50 v4", "resnet50 v3"])
    page.get_by_label("Add a version").fill("bert-base:1")
    page.get_by_role("button", name="Add").click()
    expect(heads(page)).to_have_text(["resnet50 v4", "resnet50 v3", "bert-base v1"])
    page.get_by_role("link", name="remove resnet50 v3").click()
    expect(heads(page)).to_have_text(["resnet50 v4", "bert-base v1"])
    page.get_by_role("link", name="Only differences").click()
    expect(page).to_have_url(re.compile(r"baseline=0&differences=1$"))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "compare-resnet50-v4-bert-base-v1.csv"


def test_a_metrics_direction_is_changed_from_its_row(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    page = visit("/compare/?v=resnet50:3&v=resnet50:5&baseline=0", user="ada")
    row = page.locator(".compare tr", has=page.get_by_role("rowheader", name="latency_p99_ms"))
    expect(row).to_contain_text("worse")
    page.get_by_role("link", name="Edit the definition of latency_p99_ms").click()
    page.get_by_label("Higher is better").check()
    page.get_by_label("Unit").fill("ms")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/compare/\?v=resnet50%3A3&v=resnet50%3A5&baseline=0$"))
    expect(page.locator("#toasts")).to_contain_text("Definition of latency_p99_ms saved.")
    expect(row).to_contain_text("better")


@pytest.mark.parametrize("width", [390, 1440])
def test_metric_names_stay_visible_while_the_table_scrolls(
    registry: DatabaseRegistry, visit: Callable[..., Page], width: int
) -> None:
    query = "&".join(f"v=resnet50:{number}" for number in range(1, 7))
    page = visit(f"/compare/?{query}", viewport={"width": width, "height": 800})
    box = page.get_by_role("region", name="The versions side by side")
    name = page.get_by_role("rowheader", name="latency_p99_ms")
    before = name.bounding_box()
    box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    assert name.bounding_box() == before
    expect(heads(page).last).to_be_in_viewport()
