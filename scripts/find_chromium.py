#!/usr/bin/env python3
"""Print the path of a Chromium that the browser tests can use; install one if necessary.

Search order: $OBEYA_CHROMIUM, the PATH, Playwright's download. If nothing is found, Debian's
package is installed if this is root on Debian or Ubuntu, else Playwright downloads one. With
--no-install, or if that fails too: a sentence, and exit status 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# The headless shell first: it draws no window and starts in a third of the time.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
NOT_FOUND = (
    "The browser tests need Chromium and found none. Install the package chromium-headless-shell "
    "or chromium, or run "
    "`.venv/bin/python -m playwright install --with-deps chromium`, or set OBEYA_CHROMIUM to the "
    "path of a Chromium or Chrome."
)


class NoChromium(Exception):
    """No usable Chromium was found; the message says what to install."""


def find_chromium(*, install: bool = False) -> str:
    """Return the path of a usable Chromium.

    Raises:
        NoChromium: none was found, and none could be installed.
    """
    if named := os.environ.get("OBEYA_CHROMIUM"):
        if not _works(named):
            raise NoChromium(f"OBEYA_CHROMIUM is {named}, which does not start.")
        return named
    if found := _present():
        return found
    if install:
        _install()
        if found := _present():
            return found
    raise NoChromium(NOT_FOUND)


def _present() -> str | None:
    on_path = (path for name in NAMES if (path := shutil.which(name)))
    return next(filter(_works, on_path), None) or _downloaded()


def _works(path: str) -> bool:
    """Return whether the browser starts: on some systems the name only prints how to install it."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, timeout=60, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "chrom" in answer.stdout.lower()


def _downloaded() -> str | None:
    """Return the path of the Chromium that Playwright downloaded, None if there is none."""
    script = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    try:
        answer = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, timeout=60, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    path = answer.stdout.strip()
    return path if answer.returncode == 0 and Path(path).is_file() else None


def _install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get") and _debian_packages():
        return
    _run([sys.executable, "-m", "playwright", "install", "chromium"])


def _debian_packages() -> bool:
    fonts: list[str] = []
    if not any(Path("/usr/share/fonts/truetype").glob("*/*.ttf")):
        fonts = ["fonts-dejavu-core"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *fonts]
    return _run(["apt-get", "update", "-q"], environment) and any(
        _run([*install, package], environment)
        # Ubuntu and older releases of Debian do not package the shell.
        for package in ("chromium-headless-shell", "chromium")
    )


def _run(command: list[str], environment: dict[str, str] | None = None) -> bool:
    """Run a command with its output on stderr, because stdout is for the path."""
    print("+", *command, file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, stdout=sys.stderr, env=environment, check=False)
    except OSError as error:
        print(error, file=sys.stderr)
        return False
    return done.returncode == 0


def main() -> int:
    """Print the path, or a sentence on stderr."""
    try:
        print(find_chromium(install="--no-install" not in sys.argv[1:]))
    except NoChromium as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
