"""Using the board on a touch screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import CDPSession, Page, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TABLET = {"viewport": {"width": 1180, "height": 820}, "has_touch": True, "is_mobile": True}
TARGET_MIN = 24

# The sizes of all targets: for a choice together with its label, which is part of the target.
# Links inside a sentence are left out, as in WCAG 2.5.8.
SMALL_TARGETS = """(min) => {
  const small = [];
  const PRESSED = ":is(main, #dialog) :is(a, button, input, select, textarea, summary)";
  const shown = (element) => element.checkVisibility({ visibilityProperty: true })
    && !element.closest(".visually-hidden, .skip");
  for (const element of document.querySelectorAll(PRESSED)) {
    if (!shown(element) || element.type === "hidden") continue;
    if (element.matches("p a, li a, td a, dd a") && !element.closest("[data-card]")) continue;
    let { width, height } = element.getBoundingClientRect();
    if (element.matches("[type=radio], [type=checkbox]")) {
      const label = element.labels[0].getBoundingClientRect();
      width += label.width;
      height = Math.max(height, label.height);
    }
    if (width < min || height < min) small.push(`${element.outerHTML} ${width}×${height}`);
  }
  return small;
}"""


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    """Send one touch event as the screen reports it."""
    session.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
    )


def middle_of_card(board: BoardPage, name: str) -> tuple[float, float]:
    """Return a point of the card at which it can be dragged."""
    box = board.grip(name).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture
def phone(registry: DatabaseRegistry, visit: Callable[..., Page]) -> BoardPage:
    """Open the board on a phone, with a column that scrolls."""
    for _ in range(20):
        registry.register_model("many")
    return BoardPage(visit("/", **PHONE))


def test_scrolling_a_column_starts_no_drag(phone: BoardPage) -> None:
    posts: list[str] = []
    phone.page.on(
        "request",
        lambda request: posts.append(request.url) if "/moves/" in request.url else None,
    )
    x, y = middle_of_card(phone, "many v18")
    session = phone.page.context.new_cdp_session(phone.page)
    touch(session, "touchStart", (x, y))
    for step in range(1, 21):
        touch(session, "touchMove", (x, y - 15 * step))
    touch(session, "touchEnd")
    expect(phone.card("many v20")).not_to_be_in_viewport()
    expect(phone.page.locator(".card.is-lifted, .card.is-ghost")).to_have_count(0)
    assert posts == []


def test_swiping_across_the_strip_brings_the_next_column_and_starts_no_drag(
    phone: BoardPage,
) -> None:
    x, y = middle_of_card(phone, "many v20")
    phone.page.context.new_cdp_session(phone.page).send(
        "Input.synthesizeScrollGesture",
        {"x": x, "y": y, "xDistance": -320, "gestureSourceType": "touch", "speed": 1500},
    )
    expect(phone.column("staging").get_by_role("heading", name="Staging")).to_be_in_viewport()
    expect(phone.page.locator(".card.is-lifted, .card.is-ghost")).to_have_count(0)
    assert phone.page.evaluate("document.scrollingElement.scrollLeft") == 0


def test_a_tap_on_the_move_link_moves(phone: BoardPage) -> None:
    phone.page.goto("/?model=resnet50")
    phone.move_link("resnet50 v6").tap()
    expect(phone.dialog.get_by_role("radio", name="Staging")).to_be_checked()
    phone.dialog.get_by_role("button", name="Move").tap()
    expect(phone.card_in("staging", "resnet50 v6")).to_be_attached()
    expect(phone.live).to_have_text("resnet50 v6 moved from Development to Staging")


def test_the_dialog_fits_a_phone(phone: BoardPage) -> None:
    phone.page.goto("/?model=resnet50")
    phone.move_link("resnet50 v6").tap()
    expect(phone.dialog).to_be_visible()
    box = phone.dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert phone.dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


def test_a_long_press_lifts_a_card_and_carries_it(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    board = BoardPage(visit("/", **TABLET))
    session = board.page.context.new_cdp_session(board.page)
    x, y = middle_of_card(board, "bert-base v3")
    target = board.page.locator("#cards-staging").bounding_box()
    assert target is not None
    touch(session, "touchStart", (x, y))
    # The library marks the card after a long press.
    expect(board.page.locator(".card.sortable-chosen")).to_be_attached()
    for step in range(1, 9):
        way = (target["x"] + target["width"] / 2 - x) * step / 8
        touch(session, "touchMove", (x + way, y + (target["y"] + 40 - y) * step / 8))
    taken_in = board.card_in("staging", "bert-base v3")
    # A column with moving cards accepts nothing, and a finger at rest triggers only one attempt.
    x, y = target["x"] + target["width"] / 2 + 1, target["y"] + 40
    board.nudge_until(taken_in, lambda turn: touch(session, "touchMove", (x + turn % 7, y)))
    touch(session, "touchEnd")
    expect(board.live).to_have_text("bert-base v3 moved from Development to Staging")


def test_targets_are_large_enough(phone: BoardPage) -> None:
    assert phone.page.evaluate(SMALL_TARGETS, TARGET_MIN) == []
    phone.page.goto("/?model=resnet50")
    phone.move_link("resnet50 v5").tap()
    expect(phone.dialog).to_be_visible()
    assert phone.page.evaluate(SMALL_TARGETS, TARGET_MIN) == []
