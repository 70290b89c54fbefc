"""Using the board with only the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage

KEYS_MAX = 8


class Keyboard:
    """A keyboard that counts the keys pressed."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.pressed = 0

    def press(self, *keys: str) -> None:
        """Press the keys one after the other."""
        for key in keys:
            self._page.keyboard.press(key)
            self.pressed += 1


def title_link(board: BoardPage, name: str) -> Locator:
    """Return the link in the card's title."""
    return board.card(name).locator(".card-title a")


def focus_is_on_body(page: Page) -> bool:
    """Return whether the focus was lost."""
    return bool(page.evaluate("document.activeElement === document.body"))


@pytest.mark.parametrize(
    ("name", "stage", "choices"),
    [
        ("resnet50 v6", "staging", ()),
        ("resnet50 v4", "production", ()),
        ("resnet50 v6", "archived", ("ArrowDown",)),
        # A move that cannot be undone is never preselected.
        ("bert-base v1", "archived", ("Space",)),
    ],
)
def test_a_move_takes_at_most_eight_keys_from_the_focused_card(
    board: BoardPage, name: str, stage: str, choices: tuple[str, ...]
) -> None:
    keyboard = Keyboard(board.page)
    title_link(board, name).focus()
    keyboard.press("Tab")
    expect(board.move_link(name)).to_be_focused()
    keyboard.press("Enter")
    expect(board.dialog.locator("input[type=radio]:focus")).to_be_focused()
    keyboard.press(*choices, "Enter")
    expect(board.card_in(stage, name)).to_be_attached()
    expect(board.dialog).to_be_hidden()
    expect(board.move_link(name)).to_be_focused()
    assert keyboard.pressed <= KEYS_MAX


def test_a_reason_can_be_given_by_keyboard(board: BoardPage) -> None:
    board.move_link("resnet50 v4").focus()
    board.page.keyboard.press("Enter")
    expect(board.dialog.get_by_role("radio", name="Production")).to_be_focused()
    board.page.keyboard.press("Tab")
    expect(board.dialog.get_by_label("Archive v3, now in Production")).to_be_focused()
    board.page.keyboard.press("Tab")
    expect(board.dialog.get_by_label("Reason")).to_be_focused()
    board.page.keyboard.type("Faster")
    board.page.keyboard.press("Tab")
    expect(board.dialog.get_by_role("button", name="Move")).to_be_focused()
    board.page.keyboard.press("Enter")
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    expect(board.move_link("resnet50 v4")).to_be_focused()


def test_a_refusal_takes_the_focus_and_gives_it_back(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    board.move_link("resnet50 v6").focus()
    board.page.keyboard.press("Enter")
    expect(board.dialog.get_by_role("radio", name="Staging")).to_be_focused()
    registry.log_metrics("resnet50", 6, {"accuracy": 0.5})
    board.page.keyboard.press("Enter")
    expect(board.dialog.get_by_role("heading", name="was not moved")).to_be_focused()
    board.page.keyboard.press("Escape")
    expect(board.dialog).to_be_hidden()
    expect(board.move_link("resnet50 v6")).to_be_focused()


def test_escape_closes_the_dialog_and_the_focus_is_back_on_the_link(board: BoardPage) -> None:
    board.move_link("resnet50 v4").focus()
    board.page.keyboard.press("Enter")
    expect(board.dialog).to_be_visible()
    board.page.keyboard.press("Escape")
    expect(board.dialog).to_be_hidden()
    expect(board.move_link("resnet50 v4")).to_be_focused()


def test_cancel_closes_the_dialog_and_the_focus_is_back_on_the_link(board: BoardPage) -> None:
    board.move_link("resnet50 v4").focus()
    board.page.keyboard.press("Enter")
    board.dialog.get_by_role("link", name="Cancel").press("Enter")
    expect(board.dialog).to_be_hidden()
    expect(board.move_link("resnet50 v4")).to_be_focused()


def test_the_focus_stays_in_the_dialog(board: BoardPage) -> None:
    board.move_link("resnet50 v4").press("Enter")
    expect(board.dialog.get_by_role("radio", name="Production")).to_be_focused()
    for _ in range(10):
        board.page.keyboard.press("Tab")
        assert board.page.evaluate(
            "document.activeElement === document.body"  # the browser's own toolbars
            " || document.getElementById('dialog').contains(document.activeElement)"
        )


def test_the_focus_stays_in_the_search_field_while_results_change(board: BoardPage) -> None:
    search = board.page.get_by_label("Search")
    search.press_sequentially("bert", delay=20)
    expect(board.card("resnet50 v4")).to_have_count(0)
    expect(search).to_be_focused()
    expect(search).to_have_value("bert")


def test_the_focus_goes_to_the_first_new_card_when_a_column_loads_more(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    for number in range(1, 61):
        registry.register_model("many", number)
    board.page.goto("/?model=many")
    more = board.column("development").get_by_role("link", name="More versions")
    expect(more).to_be_attached()
    more.evaluate("link => link.focus()")
    expect(title_link(board, "many v10")).to_be_focused()
    assert not focus_is_on_body(board.page)


def test_the_first_tab_stop_skips_to_the_content(board: BoardPage) -> None:
    board.page.keyboard.press("Tab")
    skip = board.page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    board.page.keyboard.press("Enter")
    expect(board.page.locator("#main")).to_be_focused()
    board.page.keyboard.press("Tab")
    expect(board.page.get_by_label("Search")).to_be_focused()


def test_tab_goes_through_filters_then_cards_from_top_to_bottom_and_left_to_right(
    board: BoardPage,
) -> None:
    filters = ["f-metric", "f-tag", "f-model", "f-owner", "pick-toggle", "Legend", "as-of-open"]
    # A status opens to its reasons where there is a next stage.
    last = {"development": ["status"], "staging": ["status"], "production": ["rollback"]}
    cards = [
        stop
        for stage in ("development", "staging", "production", "archived")
        for name in board.names(stage)
        for stop in (name, f"{name} move", *(f"{name} {part}" for part in last.get(stage, ())))
    ]
    board.page.get_by_label("Search").focus()
    stops = []
    for _ in [*filters, *cards]:
        board.page.keyboard.press("Tab")
        stops.append(
            board.page.evaluate(
                """() => {
                  const element = document.activeElement;
                  const card = element.closest("[data-card]");
                  if (!card) return element.id || element.textContent;
                  const what = element.matches("summary") ? "status"
                    : element.id.replace(/-?\\d+$/, "");
                  return [card.dataset.name, what].filter(Boolean).join(" ");
                }"""
            )
        )
    assert stops == [*filters, *cards]


def test_the_focused_link_of_a_card_is_visible(board: BoardPage) -> None:
    title_link(board, "resnet50 v4").focus()
    board.page.keyboard.press("Tab")
    outline = board.move_link("resnet50 v4").evaluate("link => getComputedStyle(link).outlineStyle")
    assert outline == "solid"
