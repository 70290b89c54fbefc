"""The wheel in an empty environment, with and without the server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
import venv
import zipfile
from contextlib import contextmanager
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"^http://127\.0\.0\.1:\d+/$")
NAMED = ("PYTHONPATH", "VIRTUAL_ENV", "DATABASE_URL")
SECONDS_TO_INSTALL = 600


# The command, as an installer creates it.
COMMAND = """#!{python}
import sys
from importlib.metadata import entry_points
(command,) = entry_points(group="console_scripts", name="obeya")
sys.exit(command.load()())
"""


# The wheel is built once.
class Environment:
    """An empty Python environment."""

    def __init__(self, home, *, with_pip):
        self._bin = home / "env" / "bin"
        self._elsewhere = home / "elsewhere"
        self._elsewhere.mkdir()
        venv.create(home / "env", with_pip=with_pip)

    def install(self, home, requirement):
        """Install the wheel and its requirements as users do; takes a minute and downloads."""
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

    def unpack(self, wheel):
        """Unpack the wheel, and link its core requirements to those that are installed here."""
        (packages,) = self._bin.parent.glob("lib/python*/site-packages")
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(packages)
        (metadata,) = distributions(name="obeya", path=[str(packages)])
        for name in required(metadata.requires):
            for top in {file.parts[0] for file in distribution(name).files} - {"..", "__pycache__"}:
                (packages / top).symlink_to(distribution(name).locate_file(top))
        command = self._bin / "obeya"
        command.write_text(COMMAND.format(python=self._bin / "python"))
        command.chmod(0o755)

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
        """Run a server by `command`, in an unrelated directory, and yield its address."""
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
            process.wait(SECONDS_TO_INSTALL)
            process.stdout.close()

    def _surroundings(self):
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("OBEYA_", "DJANGO_"))}
        return {k: v for k, v in ours.items() if k not in NAMED}


def required(requirements):
    """Return the names of all distributions that these requirements need, without extras."""
    found, waiting = set(), [*(requirements or [])]
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name not in found:
            found.add(requirement.name)
            waiting += distribution(requirement.name).requires or []
    return found


@pytest.fixture(
    scope="module", params=["unpacked", pytest.param("installed", marks=pytest.mark.release)]
)
def client(request, wheel, tmp_path_factory):
    home = tmp_path_factory.mktemp("client")
    environment = Environment(home, with_pip=request.param == "installed")
    if request.param == "installed":
        environment.install(home, str(wheel))
    else:
        environment.unpack(wheel)
    return environment


def test_the_core_the_sdk_and_the_command_work_without_django(client):
    assert client.run("python", "-c", "import django").returncode == 1
    imported = client.run(
        "python", "-c", "from obeya import InMemoryRegistry, RemoteRegistry, PromotionPolicy"
    )
    assert imported.returncode == 0, imported.stderr
    assert client.run("obeya", "--version").stdout.startswith("obeya ")
    nowhere = client.run("obeya", "list", "--url", "http://127.0.0.1:9")
    assert nowhere.returncode == 6, nowhere.stderr


@pytest.mark.parametrize("command", ["serve", "demo", "doctor", "user create x --group viewer"])
def test_server_commands_say_what_to_install(client, command):
    refused = client.run("obeya", *command.split())
    assert refused.returncode != 0
    assert "pip install 'obeya[server]'" in refused.stderr


@pytest.mark.release
def test_the_server_and_the_demo_work_from_any_directory(wheel, tmp_path):
    server = Environment(tmp_path, with_pip=True)
    server.install(tmp_path, f"{wheel}[server]")
    for command in ("serve", "demo"):
        with server.served(command) as address:
            with urllib.request.urlopen(f"{address}sign-in/", timeout=10) as answer:
                page = answer.read().decode()
            style = re.search(r'href="/(static/css/base\.[^"]+\.css)"', page)
            assert style
            for path in (style[1], "docs/", "docs/settings/"):
                with urllib.request.urlopen(address + path, timeout=10) as answer:
                    assert answer.status == 200
    verified = server.run("obeya", "audit", "verify")
    assert verified.returncode == 0
    assert re.search(r"901 chains, \d+ events: every link is valid", verified.stdout)
