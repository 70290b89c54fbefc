"""Rollback, alerts (andon) and full stages, as an on-call engineer uses them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from obeya.policy.bounds import Comparison
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit
from tests.e2e.board_page import BoardPage

SENTENCE = "resnet50 rolled back: v2 is in Production again; v3 archived"


@pytest.fixture
def breached(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Report an error rate of resnet50 v3 in Production that breaches its guardrail."""
    registry.set_guardrail("resnet50", Guardrail("error_rate", Comparison.LTE, 0.02))
    registry.report_live_metric("resnet50", "error_rate", 0.05)
    return registry


def test_a_rollback_by_keyboard(board: BoardPage) -> None:
    page = board.page
    board.move_link("resnet50 v3").focus()
    page.keyboard.press("Tab")
    expect(board.rollback_link("resnet50 v3")).to_be_focused()
    page.keyboard.press("Enter")
    expect(board.dialog.get_by_role("heading", name="Roll back resnet50")).to_be_focused()
    page.keyboard.press("Tab")
    expect(board.dialog.get_by_label("Roll back to")).to_be_focused()
    expect(board.dialog.get_by_label("Roll back to")).to_have_value("2")
    page.keyboard.press("Tab")
    expect(board.dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Errors doubled")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(board.dialog).to_be_hidden()
    expect(board.live).to_have_text(SENTENCE)
    expect(board.card_in("production", "resnet50 v2")).to_be_visible()
    expect(board.card_in("archived", "resnet50 v3")).to_be_visible()
    expect(board.count("production")).to_have_text("2")
    expect(board.move_link("resnet50 v2")).to_be_focused()
    board.toasts.get_by_role("link", name="History").click()
    event = page.locator(".event", has_text="Errors doubled")
    expect(event).to_contain_text("grace")
    expect(event).to_contain_text("v2")


def test_the_dialog_shows_the_plan_for_the_version_that_is_chosen_and_keeps_the_reason(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    registry.rollback("resnet50", reason="errors")
    board.page.reload()
    board.rollback_link("resnet50 v2").click()
    plan = board.dialog.locator("#rollback-plan")
    expect(plan).to_contain_text("Choose the version to roll back to")
    board.dialog.get_by_label("Reason").fill("v3 was not it")
    board.dialog.get_by_label("Roll back to").select_option("3")
    expect(plan).to_contain_text("a rollback archived it")
    expect(board.dialog.get_by_label("Reason")).to_have_value("v3 was not it")
    board.dialog.get_by_role("button", name="Roll back").click()
    expect(board.live).to_contain_text("v3 is in Production again; v2 archived")


def test_the_alert_links_to_the_rollback_and_is_cleared_by_it(
    breached: DatabaseRegistry, board: BoardPage
) -> None:
    andon = board.page.get_by_role("region", name="Alert (andon)")
    expect(andon).to_contain_text("v3: live error_rate is 0.05; required: ≤ 0.02.")
    andon.get_by_role("link", name="Roll back").click()
    board.dialog.get_by_label("Reason").fill("The andon")
    board.dialog.get_by_role("button", name="Roll back").click()
    expect(board.live).to_have_text(SENTENCE)
    expect(andon).to_have_count(0)
    expect(board.card_in("production", "resnet50 v2")).to_be_visible()
    expect(board.move_link("resnet50 v2")).to_be_focused()


def test_the_models_page_rolls_back_and_says_so(
    breached: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    page = visit("/models/resnet50/")
    page.get_by_role("region", name="Alert (andon)").get_by_role("link", name="Roll back").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Reason").fill("The andon")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator("#toasts")).to_contain_text(SENTENCE)
    expect(page.get_by_role("region", name="Alert (andon)")).to_have_count(0)


def test_a_conflict_shows_the_current_state_and_keeps_the_text(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    board.rollback_link("resnet50 v3").click()
    board.dialog.get_by_label("Reason").fill("Errors doubled")
    registry.rollback("resnet50", reason="I was faster")
    board.dialog.get_by_role("button", name="Roll back").click()
    expect(board.dialog.get_by_role("alert")).to_contain_text("Now there: v2")
    expect(board.dialog.get_by_label("Reason")).to_have_value("Errors doubled")
    board.page.keyboard.press("Escape")
    expect(board.dialog).to_be_hidden()
    expect(board.rollback_link("resnet50 v3")).to_be_focused()


def test_without_scripts_the_dialog_is_a_page(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    board = BoardPage(visit("/?tag=family%3Dresnet", java_script_enabled=False))
    board.rollback_link("resnet50 v3").click()
    page = board.page
    expect(page.get_by_role("heading", name="Roll back resnet50")).to_be_visible()
    page.get_by_label("Roll back to").select_option("2")
    page.get_by_label("Reason").fill("Errors doubled")
    page.get_by_role("main").get_by_role("button", name="Roll back").click()
    expect(board.toasts).to_contain_text(SENTENCE)
    expect(page).to_have_url("/?tag=family%3Dresnet")


def test_a_drop_on_a_full_production_offers_archiving_to_make_room(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    registry.set_wip_limit(WipLimit(Stage.PRODUCTION, 1), "resnet50")
    board = BoardPage(visit("/?model=resnet50", viewport={"width": 1440, "height": 900}))
    expect(board.column("production")).to_contain_text("full")
    board.pick_up("resnet50 v4")
    expect(board.column("production")).to_have_attribute("data-drop", "yes")
    expect(board.note("production")).to_contain_text("Archive v3 in the same move.")
    board.drag_over("resnet50 v4", "production")
    board.drop()
    expect(board.dialog.get_by_role("radio", name="Production")).to_be_checked()
    expect(board.dialog.get_by_label("Archive v3 and promote v4")).to_be_checked()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.live).to_have_text("resnet50 v4 moved from Staging to Production; v3 archived")
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    expect(board.card_in("archived", "resnet50 v3")).to_be_visible()
    expect(board.column("production")).to_contain_text("full")


def test_a_drop_on_a_full_staging_opens_a_dialog(
    registry: DatabaseRegistry, visit: Callable[..., Page]
) -> None:
    registry.set_wip_limit(WipLimit(Stage.STAGING, 1), "bert-base")
    board = BoardPage(visit("/?model=bert-base", viewport={"width": 1440, "height": 900}))
    board.pick_up("bert-base v3")
    expect(board.note("staging")).to_contain_text("Archive v2 in the same move.")
    board.drag_over("bert-base v3", "staging")
    board.drop()
    expect(board.dialog.get_by_label("Archive v2 and promote v3")).to_be_checked()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("staging", "bert-base v3")).to_be_visible()
    expect(board.card_in("archived", "bert-base v2")).to_be_visible()


def test_a_full_stage_that_cannot_be_freed_refuses_the_card(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    registry.set_wip_limit(WipLimit(Stage.STAGING, 1))
    board.page.reload()
    board.drag("whisper v1", "staging")
    expect(board.dialog.get_by_role("alert")).to_contain_text("Staging is full")
    expect(board.dialog.get_by_role("alert")).to_contain_text("resnet50 v5")
    expect(board.card_in("development", "whisper v1")).to_be_visible()


def test_a_limit_that_only_warns_accepts_the_card_after_a_warning(
    board: BoardPage, registry: DatabaseRegistry
) -> None:
    registry.set_wip_limit(WipLimit(Stage.STAGING, 1, LimitMode.WARN))
    board.page.reload()
    expect(board.column("staging")).to_contain_text("2 over")
    board.pick_up("whisper v1")
    expect(board.column("staging")).to_have_attribute("data-warns", "")
    expect(board.note("staging")).to_contain_text("Staging is full")
    board.drag_over("whisper v1", "staging")
    board.drop()
    expect(board.live).to_have_text("whisper v1 moved from Development to Staging")
    expect(board.column("staging")).to_contain_text("3 over")
