"""A card's status opens to its reasons, and the board's legend explains its marks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage
from tests.e2e.page_checks import overhangs, violations

FAILING = "resnet50 v5"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LIFTED = ".card.is-lifted, .card.is-ghost, .card.sortable-chosen"


def expect_reasons(board: BoardPage) -> None:
    """Wait until the failing card lists each requirement with the value that it has."""
    reasons = board.reasons(FAILING)
    expect(reasons.get_by_role("listitem")).to_have_count(2)
    expect(reasons.get_by_role("listitem").first).to_contain_text("accuracy ≥ 0.9")
    expect(reasons.get_by_role("listitem").first).to_contain_text("accuracy is 0.85")


def test_the_reasons_open_and_close_by_keyboard(board: BoardPage) -> None:
    summary = board.reasons(FAILING).locator("summary")
    expect(summary).to_have_text("Fails 2 requirements")
    board.move_link(FAILING).focus()
    board.page.keyboard.press("Tab")
    expect(summary).to_be_focused()
    board.page.keyboard.press("Enter")
    expect_reasons(board)
    board.page.keyboard.press("Space")
    expect(board.reasons(FAILING).get_by_role("list")).to_be_hidden()
    board.page.keyboard.press("Space")
    board.page.keyboard.press("Tab")
    board.page.keyboard.press("Enter")
    expect(
        board.page.get_by_role("heading", name="Policy check for Production")
    ).to_be_in_viewport()


def test_a_tap_opens_the_reasons_and_starts_no_drag(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    board = BoardPage(visit("/?model=resnet50", **PHONE))
    moves: list[str] = []
    board.page.on(
        "request",
        lambda request: moves.append(request.url) if "/moves/" in request.url else None,
    )
    board.reasons(FAILING).locator("summary").tap()
    expect_reasons(board)
    expect(board.page.locator(LIFTED)).to_have_count(0)
    assert moves == []


@pytest.mark.parametrize("part", ["summary", "li"])
def test_pulling_at_the_status_or_its_reasons_starts_no_drag(board: BoardPage, part: str) -> None:
    summary = board.reasons(FAILING).locator("summary")
    summary.click()
    expect_reasons(board)
    place = board.reasons(FAILING).locator(part).first
    place.hover()
    box = place.bounding_box()
    assert box is not None
    board.page.mouse.down()
    board.page.mouse.move(box["x"] + 300, box["y"] + 40, steps=8)
    expect(board.page.locator(LIFTED)).to_have_count(0)
    board.page.mouse.up()
    expect(board.card_in("staging", FAILING)).to_be_visible()


def test_the_reasons_open_without_javascript(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    board = BoardPage(visit("/", java_script_enabled=False))
    board.reasons(FAILING).locator("summary").click()
    expect_reasons(board)


def test_the_open_legend_and_reasons_are_accessible_and_fit(board: BoardPage) -> None:
    board.reasons(FAILING).locator("summary").click()
    expect_reasons(board)
    board.page.get_by_text("Legend", exact=True).press("Enter")
    expect(board.page.get_by_text("Passes the policy for the next stage.")).to_be_visible()
    assert violations(board.page) == []
    assert overhangs(board.page, (320, 768)) == []
