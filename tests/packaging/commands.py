"""Helpers that run the `obeya` command and start its server."""

from __future__ import annotations

import atexit
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO

import pytest

from tests.packaging.forks import Done, Forks

URL = re.compile(r"^http://127\.0\.0\.1:(\d+)/(\S*)$")
# Far longer than anything takes: only something that never happens reaches this limit.
SECONDS = 240
# Modules that every command imports, and those of the server's commands that read no settings.
CLIENT = ["obeya.cli", "obeya.remote"]
SERVER = [
    *CLIENT,
    "cryptography.fernet",
    "django.contrib.admin.utils",
    "django.contrib.auth.hashers",
    "django.core.checks",
    "django.core.handlers.wsgi",
    "django.core.management",
    "django.core.serializers.json",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.executor",
    "django.db.models",
    "django.forms",
    "django.template.backends.django",
    "django.views.generic",
    "environ",
    "psycopg",
    "pydantic",
]


def process_environment(data: Path) -> dict[str, str]:
    """Return the environment of a process with this data directory.

    The rate limit is raised, not removed: drills send more requests than a client, and every
    request is counted.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OBEYA_", "DJANGO_"))}
    kept.pop("DATABASE_URL", None)
    return {**kept, "OBEYA_DATA_DIR": str(data), "OBEYA_API_RATE": "100000"}


@cache
def forks(*modules: str) -> Forks:
    """Return the process that has imported the modules; it runs until pytest ends."""
    started = Forks(sys.executable, [*modules], environment=process_environment(Path.cwd()))
    atexit.register(started.stop)
    return started


def run(data: Path, *arguments: str | Path, stdin: str = "", **more: str) -> Done:
    """Run the command in the data directory, in a fork of a process that has imported Django."""
    environment = process_environment(data) | more
    return forks(*SERVER).run(
        "module", "obeya.cli", *arguments, environment=environment, cwd=data, stdin=stdin
    )


def run_code(data: Path, code: str, **more: str) -> str:
    """Run Python code with the server's settings on the data directory; return its output."""
    environment = (
        process_environment(data) | {"DJANGO_SETTINGS_MODULE": "registry_site.settings"} | more
    )
    done = forks(*SERVER).run("code", code, environment=environment, cwd=data)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Served:
    """A running `obeya serve` and the URLs it printed. Its log goes to `log`, if that is given."""

    def __init__(self, data: Path, *options: str, log: IO[str] | None = None, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "obeya.cli", "serve", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=process_environment(data) | more,
            cwd=data,
        )
        self.urls: list[str] = []

    def wait_for_urls(self, number: int) -> list[str]:
        """Read until that many URLs were printed, and return them."""
        assert self.process.stdout
        # A server that prints nothing is stopped, so that reading ends too.
        watch = threading.Timer(SECONDS, self.process.kill)
        watch.start()
        try:
            return self._urls_printed(number)
        finally:
            watch.cancel()

    def _urls_printed(self, number: int) -> list[str]:
        assert self.process.stdout
        for line in self.process.stdout:
            if URL.match(line.strip()):
                self.urls.append(line.strip())
            if len(self.urls) == number:
                return self.urls
        pytest.fail(f"It ended with {self.process.wait()} and printed only {self.urls}")

    def stop(self, how: signal.Signals) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(how)
        return self.process.wait(SECONDS)

    def end(self) -> None:
        """Stop the server if it runs, and close its output."""
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        if self.process.stdout:
            self.process.stdout.close()


def signed_in(link: str) -> urllib.request.OpenerDirector:
    """Return a browser that the sign-in link signed in."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = browser.open(link).read().decode()
    field = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert field
    form = urllib.parse.urlencode({"csrfmiddlewaretoken": field[1]}).encode()
    browser.open(link, form).close()
    return browser


def children(process: subprocess.Popen[str]) -> list[int]:
    """Return the process ids of the children."""
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(pid) for pid in found.stdout.split()]


def wait_until(reached: Callable[[], object]) -> None:
    """Wait until the state is reached; fail if it never is."""
    end = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < end, "The state was not reached."
        time.sleep(0.02)


def wait_until_ended(pids: list[int]) -> None:
    """Wait until none of the processes exists."""
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
