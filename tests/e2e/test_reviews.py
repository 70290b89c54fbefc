"""A reviewed promotion in two browsers: request, approval, move, printed record; and a waiver."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from boards.models import AuditEvent, TransitionRequest, Waiver
from boards.registry.database import DatabaseRegistry
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage
from tests.e2e.board_page import BoardPage
from tests.e2e.page_checks import overhangs, violations

Visit = Callable[..., Page]
POLICY = (
    PromotionPolicy(Stage.PRODUCTION)
    .require_metric("accuracy", Comparison.GTE, 0.9)
    .require_metric("latency_p99_ms", Comparison.LTE, 100)
)


@pytest.fixture(autouse=True)
def _requests_last(settings: Any) -> None:
    """Keep requests open for 60 days: the clock of the small registry is a month behind."""
    settings.OBEYA_REQUEST_DAYS = 60


@pytest.fixture
def guarded(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Return the small registry with two approvals required for Production."""
    registry.set_policy(POLICY.require_approvals(2))
    return registry


def approve(page: Page, comment: str) -> None:
    page.get_by_role("link", name=re.compile("Requests 1")).click()
    page.get_by_role("link", name="resnet50 v4").click()
    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    page.get_by_label("Comment").fill(comment)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("You approved it")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_reviewed_promotion(guarded: DatabaseRegistry, visit: Visit, scripts: bool) -> None:
    grace = visit("/", java_script_enabled=scripts, viewport={"width": 1440, "height": 900})
    BoardPage(grace).move_link("resnet50 v4").click()
    grace.get_by_role("link", name="Request approval").click()
    expect(grace.get_by_role("heading", name="Request resnet50 v4 for Production")).to_be_visible()
    grace.get_by_label("Reason").fill("More accurate, and faster")
    grace.get_by_role("button", name="Request approval").click()
    expect(grace.get_by_role("heading", name="Review")).to_be_visible()
    expect(grace.get_by_text("0 of 2 approvals given.")).to_be_visible()
    address = grace.url
    for name in ("anna", "bob"):
        approve(visit("/", user=name, java_script_enabled=scripts), f"{name} agrees")
    grace.goto(address)
    expect(grace.get_by_text("Approved, ready to move")).to_be_visible()
    grace.get_by_role("button", name="Promote now").click()
    expect(grace.get_by_text("resnet50 v4 moved to Production.").first).to_be_visible()
    expect(grace.get_by_text("anna agrees")).to_be_visible()
    assert guarded.get_version("resnet50", 4).stage is Stage.PRODUCTION
    assert guarded.get_version("resnet50", 3).stage is Stage.ARCHIVED


def test_the_request_dialog_gives_the_focus_back(guarded: DatabaseRegistry, visit: Visit) -> None:
    page = visit("/", viewport={"width": 1440, "height": 900})
    board = BoardPage(page)
    link = board.move_link("resnet50 v4")
    link.click()
    board.dialog.get_by_role("link", name="Request approval").click()
    expect(
        board.dialog.get_by_role("heading", name="Request resnet50 v4 for Production")
    ).to_be_visible()
    page.keyboard.press("Escape")
    expect(board.dialog).to_be_hidden()
    expect(link).to_be_focused()


def test_evidence_that_changed_meanwhile_is_read_again(
    guarded: DatabaseRegistry, visit: Visit
) -> None:
    guarded.request_transition("resnet50", 4, Stage.PRODUCTION, reason="Better")
    page = visit(f"/requests/{TransitionRequest.objects.get().uid}/", user="anna")
    page.get_by_label("Comment").fill("Fine by me")
    guarded.log_metrics("resnet50", 4, {"accuracy": 0.5})
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("The evidence changed since you read it")
    expect(page.get_by_label("Comment")).to_have_value("Fine by me")
    expect(page.get_by_role("row", name=re.compile("accuracy ≥ 0.9"))).to_contain_text("failed")


def test_a_waiver_expires_at_the_end_of_the_day_in_the_readers_time_zone(
    registry: DatabaseRegistry, visit: Visit
) -> None:
    page = visit("/models/resnet50/versions/5/", user="anna", timezone_id="Asia/Tokyo")
    page.get_by_role("link", name="Waive…").click()
    expect(page.get_by_role("checkbox", name="accuracy ≥ 0.9")).to_be_checked()
    expect(page.get_by_text("midnight in Asia/Tokyo")).to_be_visible()
    page.get_by_label("Reason").fill("Holds on the other test set")
    day = (datetime.now().astimezone() + timedelta(days=40)).date()
    page.get_by_label("Last day of the waiver").fill(day.isoformat())
    expect(page.get_by_role("radio", name="at the end of")).to_be_checked()
    page.get_by_role("button", name="Waive").click()
    expect(
        page.get_by_text("2 of 2 requirements passed for Production, 2 by waiver.")
    ).to_be_visible()
    ends = Waiver.objects.get().expires_at
    assert (ends.date(), ends.hour) == (day, 15)


def pages_of_reviews(registry: DatabaseRegistry) -> list[str]:
    """Create a request, a waiver, a promotion and a rollback; return their pages."""
    registry.request_transition("resnet50", 4, Stage.PRODUCTION, reason="Better")
    ends = datetime.now().astimezone() + timedelta(days=7)
    registry.waive("resnet50", 5, ["accuracy ≥ 0.9"], reason="By hand", expires_at=ends)
    registry.transition_stage("bert-base", 2, Stage.PRODUCTION, archive_existing=True)
    registry.rollback("bert-base", reason="Errors doubled")
    actions = ("model_version.stage_transitioned", "model_version.rolled_back", "waiver.granted")
    events = [
        AuditEvent.objects.filter(action=action).select_related("model").latest("pk")
        for action in actions
    ]
    return [
        f"/requests/{TransitionRequest.objects.get().uid}/",
        f"/waivers/{Waiver.objects.get().uid}/revoke/",
        "/requests/?view=all",
        "/waivers/",
        "/models/resnet50/versions/5/",
        *(f"/records/{event.model.uid}/{event.sequence}/" for event in events if event.model),
    ]


def test_every_page_passes_the_accessibility_rules_and_fits(
    registry: DatabaseRegistry, visit: Visit
) -> None:
    page = visit("/requests/", user="ada")
    found: list[str] = []
    for path in pages_of_reviews(registry):
        page.goto(path)
        faults = [*violations(page), *overhangs(page, (375, 1280))]
        found += (f"{path}: {fault}" for fault in faults)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_a_record_prints_on_two_sheets_at_most_in_black_on_white(
    guarded: DatabaseRegistry, registry_of: Callable[[str], DatabaseRegistry], visit: Visit
) -> None:
    metrics = {f"metric_{number}": number / 7 for number in range(12)}
    guarded.log_metrics("resnet50", 4, metrics)
    guarded.request_transition("resnet50", 4, Stage.PRODUCTION, reason="Better")
    for name in ("anna", "bob"):
        registry_of(name).approve("resnet50", 4, comment="I ran it on my own machine")
    guarded.transition_stage("resnet50", 4, Stage.PRODUCTION, archive_existing=True)
    event = AuditEvent.objects.filter(
        version__number=4, action="model_version.stage_transitioned", to_stage="production"
    ).latest("pk")
    assert event.model
    page = visit(f"/records/{event.model.uid}/{event.sequence}/", color_scheme="dark")
    expect(page.get_by_text("Record: promotion")).to_be_visible()
    sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", print_background=True))
    assert 1 <= len(sheets) <= 2
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("matchMedia('print').matches")
    colours = page.evaluate(
        "[document.documentElement, document.querySelector('h1')].map((element) =>"
        " [getComputedStyle(element).backgroundColor, getComputedStyle(element).color])"
    )
    assert colours[0][0] == "rgb(255, 255, 255)"
    assert colours[1][1] == "rgb(0, 0, 0)"
    expect(page.get_by_role("banner")).to_be_hidden()
