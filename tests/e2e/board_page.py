"""A page object for the board: finding cards and dragging them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from time import monotonic

from playwright.sync_api import Locator, Page, expect


class BoardPage:
    """The board in one browser window."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.board = page.locator("[data-board]")
        self.dialog = page.locator("#dialog")
        self.live = page.locator("#live")
        self.toasts = page.locator("#toasts")
        self.picks = page.locator("#picks")

    def column(self, stage: str) -> Locator:
        """Return the column of a stage, with its header and cards."""
        return self.board.locator(f'[data-column][data-stage="{stage}"]')

    def note(self, stage: str) -> Locator:
        """Return the note that the column shows while a card is dragged."""
        return self.column(stage).locator("[data-note]")

    def count(self, stage: str) -> Locator:
        """Return the number in the column's header."""
        return self.page.locator(f"#count-{stage}")

    def card(self, name: str) -> Locator:
        """Return a card by its name, such as ``resnet50 v4``; never the copy under the pointer."""
        return self.board.locator(f'[data-card][data-name="{name}"]')

    def card_in(self, stage: str, name: str) -> Locator:
        """Return the card, if it is in that column."""
        return self.column(stage).locator(f'[data-card][data-name="{name}"]')

    def move_link(self, name: str) -> Locator:
        """Return the card's Move link."""
        return self.card(name).locator("[id^=move-]")

    def rollback_link(self, name: str) -> Locator:
        """Return the card's Roll back link."""
        return self.card(name).locator("[id^=rollback-]")

    def pick(self, name: str) -> Locator:
        """Return the checkbox that selects a card for comparison."""
        return self.card(name).get_by_role("checkbox")

    def names(self, stage: str) -> list[str]:
        """Return the names of the cards of a column, top to bottom."""
        cards = self.column(stage).locator("[data-card]")
        return [card.get_attribute("data-name") or "" for card in cards.all()]

    def reasons(self, name: str) -> Locator:
        """Return the status of a card, which opens to its reasons."""
        return self.card(name).locator("details")

    def grip(self, name: str) -> Locator:
        """Return a part of the card that can be dragged: not a link, a button or a status."""
        return self.card(name).locator(".card-foot > time")

    def pick_up(self, name: str) -> None:
        """Press on the card and move the pointer until the card is lifted."""
        card = self.card(name)
        card.scroll_into_view_if_needed()
        grip = self.grip(name)
        # Hovering waits until the card is at rest: a refused card moves back.
        grip.hover()
        box = grip.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.down()
        self.page.mouse.move(x + 12, y + 6, steps=4)
        expect(self.page.locator(".card.is-lifted")).to_be_attached()

    def drag_over(self, name: str, stage: str) -> None:
        """Drag the lifted card over a column, and keep moving until the column accepts it.

        The column accepts nothing while its cards are still moving, and a pointer at rest triggers
        only one attempt.
        """
        column = self.page.locator(f"#cards-{stage}")
        taken_in = self.card_in(stage, name)

        def nudge(turn: int) -> None:
            # Measured again each time: the columns can still be moving after the previous action.
            box = column.bounding_box()
            assert box is not None
            x, y = box["x"] + box["width"] / 2, box["y"] + 40
            self.page.mouse.move(x + turn % 7, y, steps=8 if turn == 0 else 1)

        self.nudge_until(taken_in, nudge)

    def nudge_until(self, taken_in: Locator, nudge: Callable[[int], None]) -> None:
        """Call `nudge` with 0, 1, 2 and so on, once per frame, until the element appears."""
        # Only reached if the board never accepts the card: no result depends on it.
        deadline = monotonic() + 30
        for turn in count():
            nudge(turn)
            if taken_in.count() or monotonic() > deadline:
                break
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
        expect(taken_in).to_be_attached()

    def drop(self) -> None:
        """Drop the lifted card."""
        self.page.mouse.up()
        expect(self.page.locator(".card.is-lifted")).to_have_count(0)

    def drag(self, name: str, stage: str) -> None:
        """Drag a card to a column and drop it there."""
        self.pick_up(name)
        self.drag_over(name, stage)
        self.drop()
