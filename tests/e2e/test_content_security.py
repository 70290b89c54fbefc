"""No page violates its Content-Security-Policy, and no user text is ever executed."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from boards.registry.database import DatabaseRegistry
from obeya.errors import InvalidInput
from obeya.refusals import TransitionRefused
from obeya.stages import Stage
from tests.e2e.board_page import BoardPage

# Each sets window.__xss in a different way if it is executed.
CORPUS = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=window.__xss=1>",
    "<svg onload=window.__xss=1>",
    "\"><img src=x onerror='window.__xss=1'>",
    "' autofocus onfocus='window.__xss=1",
    '" onmouseover="window.__xss=1" x="',
    "javascript:window.__xss=1",
    "<a href='javascript:window.__xss=1'>a</a>",
    "<iframe srcdoc='<script>parent.__xss=1</script>'></iframe>",
    "</textarea><script>window.__xss=1</script>",
    "</title><script>window.__xss=1</script>",
    "</option></select><img src=x onerror=window.__xss=1>",
    "<b hx-get='/' hx-trigger='load' hx-on:load='window.__xss=1'>b</b>",
    "<hx-partial hx-target='#live'>__xss</hx-partial>",
    "<template><script>window.__xss=1</script></template>",
    "<style>@import'//example.invalid'</style>",
    "{{ 7|add:7 }}{% debug %}",
    "${window.__xss=1}",
    "<math><mtext><table><mglyph><style><img src onerror=window.__xss=1>",
    "<form action=javascript:window.__xss=1><button>b</button></form>",
]

# Attributes that execute code, and elements that only our own templates may create. Text of a user
# is only allowed in attributes that do no more than show it.
SURVIVORS = """async () => {
  // Events that are due come first.
  await new Promise((resolve) => setTimeout(resolve));
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const runs = name.startsWith("on") || name.startsWith("hx-on")
        || (["href", "src", "action", "formaction"].includes(name)
            && /^\\s*javascript:/i.test(value))
        || name === "srcdoc" || (name === "style" && element.closest("main"));
      if (runs) found.push(`${element.tagName} ${name}=${value}`);
    }
  }
  const foreign = "main script, main iframe, main style, main img, hx-partial, main math";
  for (const element of document.querySelectorAll(foreign)) found.push(element.outerHTML);
  if (window.__xss) found.push("a text ran");
  return [...found, ...window.violations];
}"""


def test_using_the_board_breaks_no_content_security_policy(
    watched: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    board = BoardPage(watched("/", "grace"))
    board.drag("resnet50 v6", "staging")
    expect(board.live).to_have_text("resnet50 v6 moved from Development to Staging")
    board.page.get_by_label("Search").fill("resnet")
    expect(board.card("bert-base v2")).to_have_count(0)
    board.move_link("resnet50 v4").click()
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.card_in("production", "resnet50 v4")).to_be_visible()
    board.drag("resnet50 v5", "production")
    expect(board.dialog).to_be_visible()
    board.page.keyboard.press("Escape")
    board.page.get_by_label("Metric").fill("no condition")
    expect(board.page.locator("#filter-error")).to_be_visible()
    assert board.page.evaluate("window.violations") == []


@pytest.fixture
def hostile_versions(registry: DatabaseRegistry) -> list[tuple[str, int]]:
    """Put the corpus into every text field of versions; return their names and numbers."""
    versions = []
    for position, text in enumerate(CORPUS):
        name = text
        try:
            number = registry.register_model(name).version
        except InvalidInput:
            # A name cannot contain a slash or a colon.
            name = re.sub("[/:]", "\N{DIVISION SLASH}", text)
            number = registry.register_model(name).version
        registry.register_model(
            name,
            metrics={f"{text[:200]} {position}": 1.0},
            label=text[:64],
            description=text,
            source_run=text,
            artifact_path=text,
            tags={"text": text},
        )
        registry.set_tag(name, "text", text)
        registry.set_description(name, text)
        try:
            registry.set_alias(name, f"a{text}"[:64], 2)
        except InvalidInput:
            registry.set_alias(name, "current", 2)
        registry.transition_stage(name, 1, Stage.ARCHIVED, reason=text)
        try:
            registry.transition_stage(name, 2, Stage.STAGING, reason=text)
        except TransitionRefused:
            registry.transition_stage(name, 2, Stage.ARCHIVED, reason=text)
        versions.append((name, number))
    return versions


def executed_text(page: Page, path: str) -> list[str]:
    """Open a page, and return the user text that was executed or could have been."""
    # The load event is after the scripts and after the error events of images.
    page.goto(path)
    found: list[str] = page.evaluate(SURVIVORS)
    return found


def test_user_text_is_never_executed(
    watched: Callable[..., Page], hostile_versions: list[tuple[str, int]]
) -> None:
    page = watched("/", "ada")
    links = {"/", "/models/", "/audit/", "/policies/"}
    for start in list(links):
        page.goto(start)
        hrefs = page.locator("main a[href^='/']").evaluate_all(
            "links => links.map((link) => link.getAttribute('href'))"
        )
        links |= {href for href in hrefs if "%" in href or "xss" in href}
    # Both versions of a model are archived: their forms show the same text.
    links = {link for link in links if not link.endswith("/versions/1/transition/")}
    for name, _ in hostile_versions:
        addresses = {
            reverse("boards:model", args=[name]),
            reverse("boards:version", args=[name, 2]),
            reverse("boards:transition_stage", args=[name, 2]),
        }
        assert addresses <= links
        links.add(reverse("boards:model_history", args=[name]))
    found = {link: ran for link in sorted(links) if (ran := executed_text(page, link))}
    assert found == {}


def test_text_in_an_address_is_never_executed(
    watched: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    page = watched("/", "ada")
    filters = ("q", "tag", "model", "owner", "after")
    # All fields of a page together: it shows each of them independently.
    fields_of = {
        "/": [filters, (*filters, "metric")],
        "/board/staging/": [(*filters, "metric")],
        "/sign-in/": [("next",)],
        "/models/resnet50/versions/4/transition/": [("to", "next")],
    }
    addresses = [
        f"{path}?{urlencode(dict.fromkeys(fields, text))}"
        for path, groups in fields_of.items()
        for fields in groups
        for text in CORPUS
    ]
    found = {address: ran for address in addresses if (ran := executed_text(page, address))}
    assert found == {}


def test_a_reason_shown_again_after_a_refusal_is_never_executed(
    watched: Callable[..., Page], registry: DatabaseRegistry
) -> None:
    board = BoardPage(watched("/", "grace"))
    text = "".join(CORPUS)
    board.move_link("resnet50 v4").click()
    board.dialog.get_by_label("Reason").fill(text)
    registry.set_description("resnet50", "changed meanwhile", version=4)
    board.dialog.get_by_role("button", name="Move").click()
    expect(board.dialog.get_by_role("alert")).to_be_visible()
    expect(board.dialog.get_by_label("Reason")).to_have_value(text)
    assert board.page.evaluate("window.__xss") is None
    assert board.page.evaluate("window.violations") == []
