"""Checks for any page: accessibility in four looks, and horizontal scrolling."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Every WCAG 2.2 AA rule of axe. It runs at both widths, which show different elements.
ALL_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# Rules whose result depends on the colours or on the size of the window.
RULES_OF_LOOKS = {
    "runOnly": {
        "type": "rule",
        "values": [
            "color-contrast",
            "link-in-text-block",
            "scrollable-region-focusable",
            "target-size",
        ],
    }
}
FIRST_LOOK = ("light", 1280)
OTHER_LOOKS = (("dark", 1280), ("dark", 375), ("light", 375))
CHECKED_BY_ALL_RULES = (FIRST_LOOK, ("light", 375))
# Return one line for each element that breaks a rule.
RUN_AXE = """async (options) => {
  const { violations } = await axe.run({ ...options, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}"""
# Return how far the page scrolls horizontally and which elements overflow, or null.
OVERHANG = """() => {
  const width = document.documentElement.clientWidth;
  const over = document.documentElement.scrollWidth - width;
  if (over <= 0) return null;
  const out = [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > width + 1)
    .map((element) => element.outerHTML.slice(0, 90));
  return `${over} px: ${out.slice(0, 3).join(" | ")}`;
}"""
LOOK_IS_SHOWN = """([theme, width]) =>
  innerWidth === width && matchMedia(`(prefers-color-scheme: ${theme})`).matches"""


def violations(page: Page) -> list[str]:
    """Return a line for each element that breaks a rule of WCAG 2.2 AA.

    The page is checked in four looks, without loading it again. Afterwards it has the first look,
    without motion.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = []
    for look in (FIRST_LOOK, *OTHER_LOOKS):
        show_look(page, *look)
        rules = ALL_RULES if look in CHECKED_BY_ALL_RULES else RULES_OF_LOOKS
        found += (f"{line} ({look[0]}, {look[1]} px)" for line in page.evaluate(RUN_AXE, rules))
    show_look(page, *FIRST_LOOK)
    return found


def overhangs(page: Page, widths: tuple[int, ...]) -> list[str]:
    """Return a line for each window width at which the page scrolls horizontally."""
    found = []
    for width in widths:
        show_look(page, "light", width)
        if over := page.evaluate(OVERHANG):
            found.append(f"{over} (window of {width} px)")
    show_look(page, *FIRST_LOOK)
    return found


def show_look(page: Page, theme: str, width: int) -> None:
    """Show the page in a theme and at a width in pixels, without motion."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_function(LOOK_IS_SHOWN, arg=[theme, width])
