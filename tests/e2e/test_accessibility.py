"""Accessibility, in four looks, of page states that only a user's action creates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from obeya.policy.bounds import Comparison
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import LimitMode, WipLimit
from tests.e2e.board_page import BoardPage
from tests.e2e.page_checks import violations


@pytest.fixture
def look(visit: Callable[..., Page]) -> Callable[..., Page]:
    """Open a window in the first look that `violations` checks."""
    return partial(visit, viewport={"width": 1280, "height": 800}, reduced_motion="reduce")


def keep_toast(board: BoardPage) -> None:
    """Move the pointer over the toast once, so that it does not disappear."""
    board.toasts.locator("[data-toast]").hover()
    board.page.mouse.move(0, 0)


def test_the_move_dialog_and_a_refusal(
    look: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    board = BoardPage(look())
    board.move_link("resnet50 v4").click()
    expect(board.dialog).to_be_visible()
    assert violations(board.page) == []
    registry.set_description("resnet50", "changed meanwhile", version=4)
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.dialog.locator("[data-refusal]")).to_be_visible()
    assert violations(board.page) == []


def test_a_refusal_with_its_reasons(look: Callable[..., Page], registry: DatabaseRegistry) -> None:
    page = look()
    page.evaluate(
        """() => htmx.ajax("POST", "/models/resnet50/versions/5/transition/", {
          target: "#dialog", swap: "none", source: document.querySelector(".card"),
          values: { to_stage: "production" },
        })"""
    )
    expect(page.locator("#dialog [data-refusal] li")).to_have_count(2)
    assert violations(page) == []


def test_a_board_after_a_move_with_its_toast(
    look: Callable[..., Page], registry: DatabaseRegistry, settings: Any
) -> None:
    settings.OBEYA_WORKFLOW = "returns"
    board = BoardPage(look())
    board.move_link("resnet50 v6").click()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.toasts.get_by_role("button", name="Undo")).to_be_visible()
    keep_toast(board)
    assert violations(board.page) == []


def test_alerts_full_columns_and_their_dialogs(
    look: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    registry.set_guardrail("resnet50", Guardrail("error_rate", Comparison.LTE, 0.02))
    registry.report_live_metric("resnet50", "error_rate", 0.05)
    registry.set_wip_limit(WipLimit(Stage.PRODUCTION, 1), "resnet50")
    registry.set_wip_limit(WipLimit(Stage.STAGING, 1, LimitMode.WARN))
    registry.log_metrics("resnet50", 2, {"accuracy": 0.5})
    board = BoardPage(look("/?model=resnet50", user="ada"))
    assert violations(board.page) == []
    board.move_link("resnet50 v4").click()
    expect(board.dialog.get_by_label("Archive v3 and promote v4")).to_be_checked()
    assert violations(board.page) == []
    board.page.keyboard.press("Escape")
    board.page.get_by_role("region", name="Alert (andon)").get_by_role(
        "link", name="Roll back"
    ).click()
    expect(board.dialog).to_contain_text("The rollback is still possible")
    assert violations(board.page) == []
    board.dialog.get_by_label("Reason").fill(" ")
    board.dialog.get_by_role("button", name="Roll back").click()
    expect(board.dialog.get_by_role("alert")).to_have_text("A reason is required to roll back.")
    assert violations(board.page) == []
    board.dialog.get_by_label("Reason").fill("errors")
    board.dialog.get_by_role("button", name="Roll back").click()
    expect(board.toasts.get_by_role("link", name="History")).to_be_visible()
    keep_toast(board)
    assert violations(board.page) == []


def test_guardrails_with_values_and_errors(
    look: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    registry.set_guardrail("resnet50", Guardrail("error_rate", Comparison.LTE, 0.02))
    registry.report_live_metric("resnet50", "error_rate", 0.05)
    registry.report_live_metric("resnet50", "latency_ms", 20)
    page = look("/models/resnet50/", user="ada")
    page.get_by_text("New guardrail").click()
    page.get_by_text("Report a live value").click()
    assert violations(page) == []
    form = page.locator("form", has=page.locator("#rail-bound"))
    form.get_by_label("Live metric").fill("error_rate")
    form.get_by_label("Limit").fill("low")
    form.get_by_role("button", name="Set").click()
    expect(page.get_by_role("alert")).to_contain_text("not “low”")
    assert violations(page) == []


def test_a_board_with_selected_cards(look: Callable[..., Page], registry: DatabaseRegistry) -> None:
    board = BoardPage(look())
    board.page.get_by_role("button", name="Select", exact=True).click()
    for name in ("resnet50 v4", "bert-base v2"):
        board.pick(name).check()
    expect(board.picks.get_by_role("button", name="Remove")).to_have_count(2)
    assert violations(board.page) == []


def test_a_filter_error_while_typing(look: Callable[..., Page], registry: DatabaseRegistry) -> None:
    page = look()
    page.get_by_label("Metric").fill("accuracy above 0.9")
    expect(page.locator("#filter-error")).to_be_visible()
    assert violations(page) == []


def test_an_empty_registry(look: Callable[..., Page]) -> None:
    page = look("/", user="ada")
    found: list[str] = []
    for path in ("/", "/models/", "/policies/", "/audit/"):
        page.goto(path)
        found += (f"{path}: {line}" for line in violations(page))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_forms_with_errors(look: Callable[..., Page]) -> None:
    page = look("/sign-in/", user=None)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("nothing")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    page = look("/metrics/define/?name=accuracy", user="ada")
    page.get_by_label("Unit").fill("x" * 25)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#unit_error")).to_be_visible()
    assert violations(page) == []
    page = look("/password/", user="ada")
    for field in page.get_by_role("main").locator("input[type=password]").all():
        field.fill("12345678")
    page.get_by_role("button", name="Set password").click()
    expect(page.locator(".field-error").first).to_be_visible()
    assert violations(page) == []


def test_a_page_that_is_not_allowed(
    look: Callable[..., Page], registry: DatabaseRegistry, accounts: dict[str, Any]
) -> None:
    accounts["vera"].groups.clear()
    page = look("/", user="vera")
    expect(page.get_by_role("heading", name="Permission denied")).to_be_visible()
    assert violations(page) == []
