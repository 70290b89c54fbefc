"""Every page, opened once: security policy, accessibility and layout."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.page_checks import overhangs, violations
from tests.e2e.site_pages import site_pages

WIDTHS = (1280, 1920, 768, 360, 320)
# Events that are due come first.
VIOLATIONS = "() => new Promise((resolve) => setTimeout(() => resolve(window.violations)))"
ADMIN = ("/admin/", "/admin/boards/user/", "/admin/auth/group/")


def test_every_page_keeps_to_its_security_policy_is_accessible_and_fits_the_window(
    watched: Callable[..., Page], check_id: str
) -> None:
    ada, visitor = watched("/", "ada"), watched("/sign-in/", None)
    pages = site_pages(check_id)
    found: list[str] = []

    def report(name: str, check: str, faults: list[str]) -> None:
        found.extend(f"{name}, {check}: {fault}" for fault in faults)

    # Pages of Django's admin, and what a signed-in user gets on the pages for visitors.
    for path in [*ADMIN, *(page.path for page in pages if page.is_open)]:
        report(path, "content security policy", open_page(ada, path))
    for page in pages:
        window = visitor if page.is_open else ada
        # Before axe is injected: its own actions are not those of the page.
        report(page.name, "content security policy", open_page(window, page.path))
        headings = window.get_by_role("heading", level=1).all_inner_texts()
        if len(headings) != 1:
            report(page.name, "headings of level 1", [str(headings)])
        report(page.name, "accessibility", violations(window))
        report(page.name, "sideways scroll", overhangs(window, WIDTHS))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def open_page(window: Page, path: str) -> list[str]:
    """Open a page, and return its violations of the Content-Security-Policy."""
    response = window.goto(path)
    assert response is not None
    policy = response.headers.get("content-security-policy", "")
    broken: list[str] = window.evaluate(VIOLATIONS)
    return broken if "script-src 'self'" in policy else [*broken, f"the policy is “{policy}”"]
