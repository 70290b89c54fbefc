"""What `pip install` of the wheel brings into an empty environment, with and without the server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
import venv
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"^http://127\.0\.0\.1:\d+/$")
NAMED = ("PYTHONPATH", "VIRTUAL_ENV", "DATABASE_URL")
SECONDS_TO_INSTALL = 600


class Installed:
    """An environment of its own into which the wheel was installed."""

    def __init__(self, home, requirement):
        self._bin = home / "env" / "bin"
        self._elsewhere = home / "elsewhere"
        self._elsewhere.mkdir()
        venv.create(home / "env", with_pip=True)
        pinned = re.findall(
            r"^[\w.\[\]-]+==[^\s;\\]+", (ROOT / "requirements/dev.lock").read_text(), re.MULTILINE
        )
        constraints = home / "constraints.txt"
        constraints.write_text("\n".join(re.sub(r"\[.*?\]", "", line) for line in pinned))
        subprocess.run(
            [self._bin / "pip", "install", "-q", "-c", constraints, requirement],
            check=True,
            timeout=SECONDS_TO_INSTALL,
        )

    def run(self, program, *arguments):
        return subprocess.run(
            [self._bin / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self._surroundings(),
            cwd=self._elsewhere,
            timeout=120,
        )

    @contextmanager
    def served(self, command):
        """The address of a server that `command` starts in a directory of no meaning."""
        process = subprocess.Popen(
            [self._bin / "obeya", command, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=self._surroundings(),
            cwd=self._elsewhere,
        )
        try:
            yield next(line.strip() for line in process.stdout if ADDRESS.match(line.strip()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            process.stdout.close()

    def _surroundings(self):
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("OBEYA_", "DJANGO_"))}
        return {k: v for k, v in ours.items() if k not in NAMED}


@pytest.fixture(scope="module")
def client(wheel, tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("client"), str(wheel))


def test_the_core_the_sdk_and_the_command_come_without_django(client):
    assert client.run("python", "-c", "import django").returncode == 1
    imported = client.run(
        "python", "-c", "from obeya import InMemoryRegistry, RemoteRegistry, PromotionPolicy"
    )
    assert imported.returncode == 0, imported.stderr
    assert client.run("obeya", "--version").stdout.startswith("obeya ")
    nowhere = client.run("obeya", "list", "--url", "http://127.0.0.1:9")
    assert nowhere.returncode == 6, nowhere.stderr


@pytest.mark.parametrize("command", ["serve", "demo", "doctor", "user create x --group viewer"])
def test_what_needs_the_server_says_what_to_install(client, command):
    refused = client.run("obeya", *command.split())
    assert refused.returncode != 0
    assert "pip install 'obeya[server]'" in refused.stderr


def test_the_server_and_the_demo_work_from_any_directory(wheel, tmp_path):
    server = Installed(tmp_path, f"{wheel}[server]")
    for command in ("serve", "demo"):
        with server.served(command) as address:
            with urllib.request.urlopen(f"{address}sign-in/", timeout=10) as answer:
                page = answer.read().decode()
            style = re.search(r'href="/(static/css/base\.[^"]+\.css)"', page)
            assert style
            with urllib.request.urlopen(address + style[1], timeout=10) as answer:
                assert answer.status == 200
    verified = server.run("obeya", "audit", "verify")
    assert verified.returncode == 0
    assert re.search(r"901 chains, \d+ events: every link holds", verified.stdout)
