"""Pages fit their window, from the narrowest phone to a wide screen."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from tests.e2e.board_page import BoardPage
from tests.e2e.page_checks import OVERHANG

RUNNING = "document.getAnimations().filter((a) => a.playState === 'running').length"


def test_a_long_word_widens_no_page(visit: Callable[..., Page], registry: DatabaseRegistry) -> None:
    long = "an-unbroken-name-" * 12
    registry.register_model(long, 1, {"m" * 120: 0.123456789}, label="x" * 64)
    registry.set_tag(long, "k" * 100, "v" * 200, version=1)
    page = visit("/", user="ada", viewport={"width": 360, "height": 800})
    found = {}
    for path in (
        "/",
        f"/models/{long}/versions/1/transition/",
        "/models/",
        f"/models/{long}/",
        f"/models/{long}/versions/1/",
        "/audit/",
        f"/models/{long}/history/",
    ):
        page.goto(path)
        if over := page.evaluate(OVERHANG):
            found[path.replace(long, "…")] = over
    assert found == {}


def test_on_a_phone_the_columns_are_a_strip_that_scrolls_in_its_own_box(
    visit: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    page = visit("/", viewport={"width": 360, "height": 740})
    strip = page.locator("[data-board]")
    assert strip.evaluate("strip => strip.scrollWidth > strip.clientWidth")
    strip.evaluate("strip => strip.scrollTo(strip.scrollWidth, 0)")
    expect(page.get_by_role("heading", name="Archived")).to_be_in_viewport()


def test_on_a_phone_a_row_of_versions_shows_its_name_and_its_first_metric(
    visit: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    registry.register_model("resnet50", 7, {"accuracy": 0.93}, label="distilled")
    page = visit("/models/resnet50/", user="ada", viewport={"width": 390, "height": 800})
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="v7", exact=True))
    box = page.get_by_role("region", name="Versions of resnet50")
    expect(row.locator("th")).to_contain_text("distilled")
    edge = box.evaluate("box => box.getBoundingClientRect().right")
    value = row.get_by_role("cell", name="0.93")
    assert value.evaluate("cell => cell.getBoundingClientRect().right") <= edge
    box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    start = box.evaluate("box => box.getBoundingClientRect().left")
    assert row.locator("th").evaluate("cell => cell.getBoundingClientRect().left") >= start


def test_nothing_moves_with_reduced_motion(
    visit: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    board = BoardPage(visit("/", viewport={"width": 1440, "height": 900}, reduced_motion="reduce"))
    board.pick_up("resnet50 v6")
    assert board.page.evaluate(RUNNING) == 0
    board.drag_over("resnet50 v6", "staging")
    assert board.page.evaluate(RUNNING) == 0
    board.drop()
    expect(board.toasts).to_contain_text("moved")
    assert board.page.evaluate(RUNNING) == 0
    board.move_link("resnet50 v4").click()
    expect(board.dialog).to_be_visible()
    assert board.page.evaluate(RUNNING) == 0
    durations = board.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap((element) => {"
        "  const style = getComputedStyle(element);"
        "  return [style.transitionDuration, style.animationDuration];"
        "}).filter((text) => !/^(0s(, )?)+$/.test(text))"
    )
    assert durations == []


def test_focus_is_visible_with_forced_colours(
    visit: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    page = visit("/", forced_colors="active")
    board = BoardPage(page)
    for control in (page.get_by_label("Search"), board.move_link("resnet50 v4")):
        control.focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        style = control.evaluate("control => getComputedStyle(control).outlineStyle")
        assert style != "none"
