"""Dragging cards, whose moves the server accepts or refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from boards.registry.database import DatabaseRegistry
from obeya.stages import Stage
from tests.e2e.board_page import BoardPage

# Filled by a script in the page with every text of the live region.
WATCH_LIVE = """() => {
  window.said = [];
  const live = document.getElementById("live");
  new MutationObserver(() => window.said.push(live.textContent))
    .observe(live, { childList: true, characterData: true, subtree: true });
}"""
CUT_LINES = ("net::ERR", "htmx:error", "Failed to fetch")


def hold_requests(page: Page, pattern: str) -> list[Route]:
    """Hold requests to these addresses until the test releases them."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    return held


def cut_network(page: Page, pattern: str) -> None:
    """Make requests to these addresses fail as if there were no network."""
    page.route(pattern, lambda route: route.abort("internetdisconnected"))


def test_a_drop_on_staging_moves_the_card_and_announces_it_once(board: BoardPage) -> None:
    board.page.evaluate(WATCH_LIVE)
    expect(board.count("development")).to_have_text("5")
    board.drag("resnet50 v6", "staging")
    sentence = "resnet50 v6 moved from Development to Staging"
    expect(board.live).to_have_text(sentence)
    expect(board.toasts).to_contain_text(sentence)
    expect(board.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(board.card("resnet50 v6")).to_have_count(1)
    expect(board.count("development")).to_have_text("4")
    expect(board.count("staging")).to_have_text("4")
    assert [text for text in board.page.evaluate("window.said") if text == sentence] == [sentence]


def test_the_history_shows_who_moved_it(board: BoardPage) -> None:
    board.drag("resnet50 v6", "staging")
    expect(board.card_in("staging", "resnet50 v6")).not_to_have_attribute("data-pending", "")
    expect(board.toasts).to_contain_text("moved")
    board.page.goto(reverse("boards:version_history", args=["resnet50", 6]))
    event = board.page.locator(".event", has_text="Staging").first
    expect(event).to_contain_text("grace")
    expect(event).to_contain_text("Development")


def test_focus_goes_to_the_move_link_of_the_card_that_was_dropped(board: BoardPage) -> None:
    board.drag("resnet50 v6", "staging")
    expect(board.toasts).to_contain_text("moved")
    expect(board.move_link("resnet50 v6")).to_be_focused()


def test_a_drop_that_skips_staging_is_refused_and_the_card_goes_back_to_its_place(
    board: BoardPage,
) -> None:
    before = board.names("development")
    board.drag("resnet50 v6", "production")
    expect(board.dialog).to_be_visible()
    expect(board.dialog.get_by_role("heading", level=2)).to_have_text("resnet50 v6 was not moved")
    expect(board.dialog.get_by_role("alert")).to_contain_text("it skips Staging")
    assert board.names("development") == before
    expect(board.card("resnet50 v6")).not_to_have_attribute("data-pending", "")
    expect(board.count("production")).to_have_text("2")


def test_a_refusal_lists_every_reason(board: BoardPage) -> None:
    board.drag("resnet50 v5", "production")
    reasons = board.dialog.locator("[data-refusal] li")
    expect(reasons).to_have_count(2)
    expect(reasons.nth(0)).to_contain_text("accuracy")
    expect(reasons.nth(1)).to_contain_text("latency_p99_ms")
    expect(board.dialog.get_by_role("link", name="See the full policy result")).to_be_visible()
    expect(board.card_in("staging", "resnet50 v5")).to_be_visible()


def test_a_dragged_card_highlights_allowed_columns_and_the_others_say_why_not(
    board: BoardPage,
) -> None:
    board.pick_up("resnet50 v6")
    expect(board.column("staging")).to_have_attribute("data-drop", "yes")
    expect(board.note("staging")).to_be_visible()
    expect(board.column("production")).to_have_attribute("data-drop", "no")
    expect(board.note("production")).to_contain_text("it skips Staging")
    expect(board.note("development")).to_be_hidden()
    board.drop()
    expect(board.board.locator("[data-drop]")).to_have_count(0)
    expect(board.note("production")).to_be_hidden()


def test_a_dragged_card_previews_the_policy_result(board: BoardPage) -> None:
    board.pick_up("resnet50 v5")
    expect(board.column("production")).to_have_attribute("data-drop", "no")
    expect(board.note("production")).to_contain_text("latency_p99_ms")
    board.drop()
    board.pick_up("resnet50 v4")
    expect(board.column("production")).to_have_attribute("data-drop", "yes")
    expect(board.note("production")).to_contain_text("Now in Production: v3.")
    board.drop()


def test_notes_that_arrive_after_the_drop_are_not_shown(board: BoardPage) -> None:
    held = hold_requests(board.page, "**/moves/")
    board.pick_up("resnet50 v6")
    board.drop()
    assert len(held) == 1
    with board.page.expect_response("**/moves/"):
        held[0].continue_()
    expect(board.board.locator("[data-drop]")).to_have_count(0)


def test_a_drop_on_production_opens_a_dialog_that_offers_to_archive_the_champion(
    board: BoardPage,
) -> None:
    board.drag("resnet50 v4", "production")
    expect(board.dialog).to_be_visible()
    expect(board.dialog.get_by_role("radio", name="Production")).to_be_checked()
    expect(board.dialog.get_by_label("Archive v3, now in Production")).to_be_checked()
    expect(board.dialog.get_by_label("Reason (optional)")).to_have_value("")
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.dialog).to_be_hidden()
    expect(board.live).to_have_text("resnet50 v4 moved from Staging to Production; v3 archived")
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    expect(board.card_in("archived", "resnet50 v3")).to_be_visible()
    expect(board.count("production")).to_have_text("2")
    expect(board.count("archived")).to_have_text("3")
    expect(board.move_link("resnet50 v4")).to_be_focused()


def test_both_versions_stay_in_production_when_archiving_is_not_wanted(board: BoardPage) -> None:
    board.drag("resnet50 v4", "production")
    board.dialog.get_by_label("Archive v3, now in Production").uncheck()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    expect(board.card_in("production", "resnet50 v3")).to_be_visible()
    expect(board.count("production")).to_have_text("3")


def test_escape_puts_the_card_back_and_returns_the_focus(board: BoardPage) -> None:
    before = board.names("staging")
    board.drag("resnet50 v4", "production")
    expect(board.dialog).to_be_visible()
    board.page.keyboard.press("Escape")
    expect(board.dialog).to_be_hidden()
    expect(board.card_in("staging", "resnet50 v4")).to_be_visible()
    assert board.names("staging") == before
    expect(board.card("resnet50 v4")).not_to_have_attribute("data-pending", "")
    expect(board.move_link("resnet50 v4")).to_be_focused()


def test_a_drop_is_pending_until_the_server_answered(board: BoardPage) -> None:
    held = hold_requests(board.page, "**/transition/")
    board.drag("resnet50 v6", "staging")
    card = board.card_in("staging", "resnet50 v6")
    expect(card).to_have_attribute("data-pending", "")
    expect(board.live).to_have_text("Moving resnet50 v6…")
    expect(board.toasts).to_be_empty()
    expect(board.count("staging")).to_have_text("3")
    held[0].continue_()
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")
    expect(card).not_to_have_attribute("data-pending", "")


def test_two_pending_drops_return_to_their_own_places(
    board: BoardPage,
) -> None:
    before = {stage: board.names(stage) for stage in ("development", "staging")}
    held = hold_requests(board.page, "**/transition/")
    board.drag("whisper v2", "staging")
    board.drag("bert-base v3", "staging")
    held[0].continue_()
    expect(board.dialog.get_by_role("heading", level=2)).to_have_text("whisper v2 was not moved")
    expect(board.card_in("development", "whisper v2")).to_be_visible()
    expect(board.card_in("staging", "bert-base v3")).to_have_attribute("data-pending", "")
    held[1].continue_()
    expect(board.live).to_have_text("bert-base v3 moved from Development to Staging")
    assert board.names("staging") == ["bert-base v3", *before["staging"]]
    before["development"].remove("bert-base v3")
    assert board.names("development") == before["development"]


def test_an_answer_reaches_a_board_that_was_filtered_meanwhile(board: BoardPage) -> None:
    held = hold_requests(board.page, "**/transition/")
    board.drag("resnet50 v6", "staging")
    board.page.get_by_label("Search").fill("resnet")
    expect(board.card("whisper v1")).to_have_count(0)
    held[0].continue_()
    expect(board.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(board.card("resnet50 v6")).to_have_count(1)


def test_without_network_the_card_returns_with_the_reason(
    board: BoardPage, console_errors: Any
) -> None:
    console_errors.ignore(*CUT_LINES)
    before = board.names("development")
    cut_network(board.page, "**/transition/")
    board.drag("resnet50 v6", "staging")
    expect(board.toasts).to_contain_text("The server could not be reached. Try again.")
    expect(board.live).to_have_text("The server could not be reached. Try again.")
    assert board.names("development") == before
    expect(board.card("resnet50 v6")).not_to_have_attribute("data-pending", "")
    board.page.unroute("**/transition/")
    board.drag("resnet50 v6", "staging")
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")


def test_without_network_the_dialog_does_not_open_and_the_card_returns(
    board: BoardPage, console_errors: Any
) -> None:
    console_errors.ignore(*CUT_LINES)
    cut_network(board.page, "**/transition/?to=production")
    cut_network(board.page, "**/moves/")
    board.drag("resnet50 v4", "production")
    expect(board.toasts).to_contain_text("could not be reached")
    expect(board.card_in("staging", "resnet50 v4")).to_be_visible()
    expect(board.card("resnet50 v4")).not_to_have_attribute("data-pending", "")
    expect(board.move_link("resnet50 v4")).to_be_focused()


def test_without_network_the_dialog_keeps_its_text(board: BoardPage, console_errors: Any) -> None:
    console_errors.ignore(*CUT_LINES)
    board.drag("resnet50 v4", "production")
    reason = board.dialog.get_by_label("Reason")
    reason.fill("Better in every way")
    cut_network(board.page, "**/transition/")
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.dialog.get_by_role("alert")).to_have_text(
        "The server could not be reached. Try again."
    )
    expect(reason).to_have_value("Better in every way")
    board.page.unroute("**/transition/")
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()


def test_a_server_error_returns_the_card_with_a_message(
    board: BoardPage, console_errors: Any
) -> None:
    console_errors.ignore("status of 500")
    board.page.route("**/transition/", lambda route: route.fulfill(status=500, body="<p>oh"))
    board.drag("resnet50 v6", "staging")
    expect(board.toasts).to_contain_text("The server failed. Try again.")
    expect(board.card_in("development", "resnet50 v6")).to_be_visible()


def test_a_conflict_names_who_moved_the_card(board: BoardPage, visit: Callable[..., Page]) -> None:
    other = BoardPage(visit("/", user="ada", viewport={"width": 1440, "height": 900}))
    board.drag("resnet50 v6", "staging")
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")
    other.drag("resnet50 v6", "staging")
    expect(other.dialog.get_by_role("alert")).to_contain_text("grace moved this to Staging")
    expect(other.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(other.card("resnet50 v6")).to_have_count(1)
    expect(other.card("resnet50 v6")).not_to_have_attribute("data-pending", "")
    expect(other.count("staging")).to_have_text("4")
    other.page.keyboard.press("Escape")
    expect(other.move_link("resnet50 v6")).to_be_focused()


def test_a_stale_page_shows_the_current_stage_and_keeps_the_reason(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    board.drag("resnet50 v4", "production")
    board.dialog.get_by_label("Reason").fill("Faster")
    registry.transition_stage("resnet50", 4, Stage.ARCHIVED)
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.dialog.get_by_role("alert")).to_contain_text("ada moved this to Archived")
    expect(board.card_in("archived", "resnet50 v4")).to_be_attached()
    expect(board.card("resnet50 v4")).to_have_count(1)


def test_a_reason_is_kept_after_a_conflict_if_the_move_is_still_possible(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    board.drag("resnet50 v4", "production")
    board.dialog.get_by_label("Reason").fill("Faster")
    registry.set_description("resnet50", "changed meanwhile", version=4)
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.dialog.get_by_role("alert")).to_be_visible()
    expect(board.dialog.get_by_label("Reason")).to_have_value("Faster")
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()


def test_a_version_deleted_meanwhile_is_reported(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    registry.delete_version("resnet50", 6)
    board.drag("resnet50 v6", "staging")
    expect(board.toasts).to_contain_text("resnet50")
    expect(board.card("resnet50 v6")).not_to_have_attribute("data-pending", "")


def test_a_signed_out_user_is_sent_to_the_sign_in_page_and_back(
    board: BoardPage,
) -> None:
    board.page.context.clear_cookies()
    board.page.get_by_label("Search").fill("resnet")
    expect(board.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "next=%2F" in board.page.url


def test_a_double_click_on_move_moves_once(board: BoardPage) -> None:
    posts: list[str] = []
    board.page.on(
        "request",
        lambda request: posts.append(request.url) if request.method == "POST" else None,
    )
    board.drag("resnet50 v4", "production")
    board.dialog.get_by_role("button", name="Move").dblclick()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    expect(board.dialog).to_be_hidden()
    assert len(posts) == 1


def test_a_viewer_gets_a_message_instead_of_a_move(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    board = BoardPage(visit("/", user="vera", viewport={"width": 1440, "height": 900}))
    board.drag("resnet50 v4", "production")
    expect(board.dialog.get_by_role("alert")).to_contain_text(
        "does not have permission to move versions"
    )
    expect(board.card_in("staging", "resnet50 v4")).to_be_visible()


def test_undo_returns_the_card_and_the_focus(board: BoardPage, settings: Any) -> None:
    settings.OBEYA_WORKFLOW = "returns"
    board.drag("resnet50 v6", "staging")
    undo = board.toasts.get_by_role("button", name="Undo")
    undo.focus()
    board.page.keyboard.press("Enter")
    expect(board.live).to_have_text("resnet50 v6 moved from Staging to Development")
    expect(board.card_in("development", "resnet50 v6")).to_be_visible()
    expect(board.move_link("resnet50 v6")).to_be_focused()
    expect(board.toasts.locator("[data-toast]")).to_have_count(1)


def test_a_late_undo_is_refused_with_a_message(
    board: BoardPage, registry: DatabaseRegistry, settings: Any
) -> None:
    settings.OBEYA_WORKFLOW = "returns"
    board.drag("resnet50 v6", "staging")
    undo = board.toasts.get_by_role("button", name="Undo")
    # A toast that has the focus does not disappear.
    undo.focus()
    registry.transition_stage("resnet50", 6, Stage.PRODUCTION)
    undo.click()
    expect(board.dialog.get_by_role("alert")).to_contain_text("ada moved this to Production")
    expect(board.card_in("production", "resnet50 v6")).to_be_attached()


def test_a_card_let_go_outside_the_board_stays(board: BoardPage) -> None:
    before = board.names("development")
    board.pick_up("resnet50 v6")
    board.drag_over("resnet50 v6", "staging")
    board.page.mouse.move(720, 10, steps=6)
    board.drop()
    assert board.names("development") == before
    expect(board.card("resnet50 v6")).not_to_have_attribute("data-pending", "")
    expect(board.count("staging")).to_have_text("3")


def test_escape_cancels_a_drag(board: BoardPage) -> None:
    before = board.names("development")
    board.pick_up("resnet50 v6")
    board.drag_over("resnet50 v6", "staging")
    board.page.keyboard.press("Escape")
    board.drop()
    expect(board.live).to_have_text("resnet50 v6 was not moved.")
    assert board.names("development") == before
    expect(board.count("staging")).to_have_text("3")


def test_the_column_under_the_pointer_counts_not_the_one_the_card_passed(board: BoardPage) -> None:
    board.pick_up("resnet50 v6")
    board.drag_over("resnet50 v6", "staging")
    heading = board.page.get_by_role("heading", name="Archived")
    box = heading.bounding_box()
    assert box is not None
    board.page.mouse.move(box["x"] + 5, box["y"] + 5, steps=3)
    board.drop()
    expect(board.dialog.get_by_role("radio", name="Archived")).to_be_checked()


def test_required_reasons_are_requested_for_every_drop_and_undo(
    registry: DatabaseRegistry, visit: Callable[..., Page], settings: Any
) -> None:
    settings.OBEYA_REQUIRE_REASON = True
    settings.OBEYA_WORKFLOW = "returns"
    board = BoardPage(visit("/", viewport={"width": 1440, "height": 900}))
    board.drag("resnet50 v6", "staging")
    reason = board.dialog.get_by_role("textbox", name="Reason")
    reason.fill("Good enough.")
    board.dialog.get_by_role("button", name="Move", exact=True).click()
    expect(board.card_in("staging", "resnet50 v6")).to_be_visible()
    expect(board.card("resnet50 v6")).not_to_have_attribute("data-pending", "")
    board.toasts.get_by_role("link", name="Undo…").click()
    reason.fill("Not good enough.")
    board.dialog.get_by_role("button", name="Move", exact=True).click()
    expect(board.card_in("development", "resnet50 v6")).to_be_visible()
