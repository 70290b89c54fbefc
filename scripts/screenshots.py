#!/usr/bin/env python3
"""Take pictures of every page of the demo, in light and dark, wide and narrow.

    python scripts/screenshots.py [--out DIRECTORY] [--data-dir DIRECTORY] [--readme]

Starts `obeya demo` on a free port with a temporary data directory, or with the one that --data-dir
states, which is kept. With --readme only the pictures that the README shows.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SIZES: dict[str, ViewportSize] = {
    "wide": {"width": 1440, "height": 900},
    "narrow": {"width": 390, "height": 844},
}
THEMES = ("light", "dark")
README_MAX_BYTES = 400_000
SECONDS_TO_START = 180
LINK = re.compile(r"http://\S+/sign-in/once/\S+")
MODEL = "resnet50"
# A filter whose board fits the picture, with cards in every column.
FILTER = "/?q=resnet"


def main() -> int:
    """Take the pictures and print their names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("screenshots"), help="[screenshots]")
    parser.add_argument(
        "--data-dir", type=Path, help="store the data of the demo in this directory"
    )
    parser.add_argument("--readme", action="store_true", help="only docs/images/board-*.png")
    arguments = parser.parse_args()
    with ExitStack() as cleanup:
        data = arguments.data_dir or Path(
            cleanup.enter_context(tempfile.TemporaryDirectory(prefix="obeya-screenshots-"))
        )
        link = cleanup.enter_context(running_demo(data))
        playwright = cleanup.enter_context(sync_playwright())
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--disable-gpu", *sandbox]
        )
        cleanup.callback(browser.close)
        state = sign_in(browser, link)
        origin = link.split("/sign-in/")[0]
        for theme in THEMES:
            for size in ("wide",) if arguments.readme else SIZES:
                context = browser.new_context(
                    base_url=origin,
                    viewport=SIZES[size],
                    color_scheme=theme,  # type: ignore[arg-type]  # one of THEMES
                    reduced_motion="reduce",
                    storage_state=state,
                )
                page = context.new_page()
                if arguments.readme:
                    path = ROOT / "docs" / "images" / f"board-{theme}.png"
                    picture(page, path, FILTER)
                    check_size(path)
                else:
                    tour(page, arguments.out, f"{theme}-{size}")
                    visitor(browser, origin, theme, size, arguments.out)
                context.close()
    return 0


@contextmanager
def running_demo(data: Path) -> Iterator[str]:
    """Run the demo and yield the sign-in link of the administrator."""
    log = data / "screenshots.log"
    data.mkdir(parents=True, exist_ok=True)
    obeya = Path(sys.executable).with_name("obeya")
    command = [str(obeya), "demo", "--port", "0", "--workers", "1", "--data-dir", str(data)]
    with log.open("w") as errors:
        server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            for line in server.stdout or ():
                if found := LINK.search(line):
                    yield found[0]
                    return
            raise SystemExit(
                "The demo printed no sign-in link. An account in its directory may already have a "
                f"password.\n{log.read_text()}"
            )
        finally:
            server.terminate()
            server.wait(SECONDS_TO_START)


def chromium() -> str:
    """Return the path of the browser; if there is none, the finder has printed what is missing."""
    finder = ROOT / "scripts" / "find_chromium.py"
    found = subprocess.run([sys.executable, finder], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        raise SystemExit(found.returncode)
    return found.stdout.strip()


def sign_in(browser: Browser, link: str) -> StorageState:
    """Use the sign-in link; return the state that signs other windows in."""
    page = browser.new_page()
    page.goto(link)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/password/")
    state = page.context.storage_state()
    page.context.close()
    return state


def picture(page: Page, path: Path, address: str | None = None, *, whole: bool = False) -> None:
    """Open a URL, if one is given, and write a picture of the window."""
    if address is not None:
        page.goto(address)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=whole)
    print(path)


def tour(page: Page, out: Path, look: str) -> None:
    """Take pictures of every page and of the states of the board."""

    def take(name: str, address: str | None = None, *, whole: bool = True) -> None:
        picture(page, out / f"{name}-{look}.png", address, whole=whole)

    take("board", "/", whole=False)
    take("board-filtered", FILTER, whole=False)
    take("board-filter-error", "/?metric=no+condition", whole=False)
    take("board-nothing-matches", "/?q=nothing+of+this+name", whole=False)
    page.goto(FILTER)
    hold(page)
    take("board-card-held", whole=False)
    page.mouse.up()
    page.goto(FILTER)
    page.locator("#cards-staging [data-dialog]").first.click()
    page.locator("#dialog[open]").wait_for()
    take("move-dialog", whole=False)
    page.goto(FILTER)
    refuse(page)
    take("refusal", whole=False)
    check = page.locator("#dialog a[href^='/checks/']").get_attribute("href")
    version = versions(page)
    take("models", "/models/", whole=False)
    take("model", f"/models/{MODEL}/")
    take("version", f"/models/{MODEL}/versions/{version[-1]}/")
    take("move-page", f"/models/{MODEL}/versions/{version[-1]}/transition/")
    compared = "&".join(f"v={MODEL}:{number}" for number in version[-2:])
    take("compare", f"/compare/?{compared}&baseline=0")
    six = "&".join(f"v={MODEL}:{number}" for number in version[-6:])
    take("compare-six", f"/compare/?{six}&baseline=0")
    take("metric-definition", "/metrics/define/?name=imagenet_top1")
    take("policies", "/policies/")
    take("policy-edit", "/policies/production/edit/")
    take("check", check)
    take("audit", "/audit/", whole=False)
    take("model-history", f"/models/{MODEL}/history/", whole=False)
    take("set-password", "/password/")
    take("no-such-page", "/there/is/nothing/")
    take("admin", "/admin/")


def visitor(browser: Browser, origin: str, theme: str, size: str, out: Path) -> None:
    """Take a picture of the page that visitors see before they sign in."""
    page = browser.new_page(
        base_url=origin,
        viewport=SIZES[size],
        color_scheme=theme,  # type: ignore[arg-type]  # one of THEMES
    )
    picture(page, out / f"sign-in-{theme}-{size}.png", "/sign-in/")
    page.context.close()


def hold(page: Page) -> None:
    """Pick up the first card of Staging and drag it near the next column."""
    # Not its status, which opens the reasons instead.
    grip = page.locator("#cards-staging [data-card] .card-foot > time").first
    grip.scroll_into_view_if_needed()
    box = grip.evaluate("grip => grip.getBoundingClientRect().toJSON()")
    page.mouse.move(box["x"] + 4, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 54, box["y"] + 30, steps=6)
    page.locator("[data-column][data-drop]").first.wait_for()


def refuse(page: Page) -> None:
    """Request a move that the policy refuses, as a drop on the column does."""
    page.evaluate(
        """() => {
          const card = document.querySelector("#cards-staging [data-card]:has(.lamp-fails)");
          return htmx.ajax("POST", card.dataset.transitionUrl, {
            source: card, target: "#dialog", swap: "none", values: { to_stage: "production" },
          });
        }"""
    )
    page.locator("#dialog[open] [data-refusal]").wait_for()


def versions(page: Page) -> list[int]:
    """Return the numbers of the model's versions."""
    page.goto(f"/?model={MODEL}")
    names = page.locator("[data-board] [data-card]").evaluate_all(
        "cards => cards.map((card) => card.dataset.name)"
    )
    return sorted(int(name.rpartition(" v")[2]) for name in names)


def check_size(path: Path) -> None:
    """Fail on a picture that would make the README slow."""
    size = path.stat().st_size
    if size > README_MAX_BYTES:
        raise SystemExit(f"{path} has {size:,} bytes; at most {README_MAX_BYTES:,} are allowed.")


if __name__ == "__main__":
    raise SystemExit(main())
