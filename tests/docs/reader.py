"""A reader who follows a page: runs its blocks in order, against a server that runs."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, Block
from tests.packaging.commands import SECONDS, process_environment

# Each failed command leaves its status, and the block leaves the variables that it exported.
SCRIPT = """
set -o pipefail
trap 'echo "$?" >> "$STATUSES"' ERR
trap 'env -0 > "$VARIABLES"' EXIT
{}
"""
EXIT_STATUS = re.compile(r"# .*\bexit status (\d+)")
# What differs from run to run, in the output and on the page.
VOLATILE = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "<id>",
    r"\d{4}-\d\d-\d\d \d\d:\d\d": "<time>",
}
NOT_EXPORTED = {"STATUSES", "VARIABLES", "SHLVL", "PWD", "OLDPWD", "_"}


class Reader:
    """Someone with a terminal in a directory, whose `data` is the registry's data directory.

    Host names and tokens that stand for the reader's own are replaced by those of the server.
    """

    def __init__(self, directory: Path, *, url: str, token: str, secret: str) -> None:
        self.directory = directory
        self.placeholders = {
            "https://registry.example.org": url,
            "http://127.0.0.1:8000": url,
            "obeya_…": token,
            "whsec_...": secret,
        }
        self.variables = process_environment(directory) | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(directory),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "OBEYA_URL": url,
            "OBEYA_TOKEN": token,
        }
        del self.variables["OBEYA_DATA_DIR"]
        (directory / ".curlrc").write_text("fail\nsilent\nshow-error\n")
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.output = ""

    def write(self, name: str, text: str) -> None:
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def follow(self, block: Block) -> None:
        """Do what the block says: run it, save it as the file of its title, compare the output."""
        match block.language:
            case "sh" | "console":
                self._run_shell(self._own(block.text))
            case "python":
                self._run_python(self._own(block.text))
            case "output":
                self._compare(self._own(block.text))
            case _ if block.title:
                suffix = "" if "." in block.title else f".{block.language}"
                self.write(block.title.replace(" ", "-") + suffix, block.text)

    def _own(self, text: str) -> str:
        for placeholder, own in self.placeholders.items():
            text = text.replace(placeholder, own)
        return text

    def _run_shell(self, text: str) -> None:
        statuses, variables = self.directory / ".statuses", self.directory / ".variables"
        statuses.write_text("")
        files = {"STATUSES": str(statuses), "VARIABLES": str(variables)}
        self.output = on_terminal(
            ["bash", "-c", SCRIPT.format(text)], self.variables | files, self.directory
        )
        expected = [*EXIT_STATUS.findall(text)]
        assert statuses.read_text().split() == expected, f"{text}\n\n{self.output}"
        exported = (entry.partition("=") for entry in variables.read_text().split("\0") if entry)
        self.variables = {name: value for name, _, value in exported if name not in NOT_EXPORTED}

    def _run_python(self, text: str) -> None:
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(io.StringIO()) as printed,
        ):
            patch.chdir(self.directory)
            for name, value in self.variables.items():
                patch.setenv(name, value)
            exec(compile(text, "<block>", "exec", dont_inherit=True), self.names)  # noqa: S102
        self.output = printed.getvalue()

    def _compare(self, expected: str) -> None:
        shown = without_volatile(self.output)
        pattern = re.escape(without_volatile(expected)).replace("…", ".*?")
        assert re.fullmatch(pattern, shown, re.DOTALL), f"{expected}\n\n{shown}"


def without_volatile(text: str) -> str:
    """Return the text without trailing space, and with `VOLATILE` replaced."""
    text = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
    for pattern, replacement in VOLATILE.items():
        text = re.sub(pattern, replacement, text)
    return text


def on_terminal(command: list[str], variables: dict[str, str], directory: Path) -> str:
    """Run the command with a terminal of 80 columns, and return what it shows there."""
    near, far = pty.openpty()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=far, stderr=far, env=variables, cwd=directory
    ) as process:
        os.close(far)
        watch = threading.Timer(SECONDS, process.kill)
        watch.start()
        shown = b""
        with suppress(OSError):  # how Linux reports that no one writes any more
            while part := os.read(near, 65536):
                shown += part
        watch.cancel()
    os.close(near)
    return shown.decode()
