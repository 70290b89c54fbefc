"""Measure the memory of the server during a large upload.

    python bench/upload_memory.py [MEBIBYTES]

Starts the server on a temporary directory, uploads one file as a stream (2,048 MiB by default) and
downloads it again. Prints both times, and by how much the memory of the server's processes grew at
most. Linux only: it reads /proc.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

MEBIBYTE = 1024 * 1024
PIECE = os.urandom(MEBIBYTE)
SECONDS_TO_START = 60


def main() -> None:
    """Start the server, measure, print the results."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_048
    obeya = [sys.executable, "-m", "obeya.cli"]
    with tempfile.TemporaryDirectory() as directory:
        data = ["--data-dir", directory]
        server = subprocess.Popen(
            [*obeya, "serve", *data, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            port = _port(server)
            made = [*obeya, "token", "create", "--scopes", "read,write", *data]
            told = subprocess.run(made, capture_output=True, text=True, check=True).stdout
            _measure(port, told.split()[-1], server.pid, count)
        finally:
            server.terminate()
            server.wait()


def _port(server: subprocess.Popen[str]) -> int:
    for line in server.stdout or ():
        if found := re.match(r"http://[^:]+:(\d+)/$", line.strip()):
            return int(found[1])
    raise SystemExit("The server did not start.")


def _measure(port: int, token: str, parent: int, count: int) -> None:
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(PIECE)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    headers = {"Authorization": f"Bearer {token}"}
    version = "/api/v1/models/bench/versions"
    _ask(connection, "POST", version, headers, json.dumps({}))
    before, most, ended = _memory(parent), [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(parent, most, ended), daemon=True)
    watcher.start()

    began = time.monotonic()
    whole = {**headers, "Content-Length": str(count * MEBIBYTE)}
    _ask(connection, "PUT", f"/api/v1/blobs/{digest.hexdigest()}", whole, _pieces(count))
    up = time.monotonic() - began
    files = {"files": [{"path": "a.bin", "sha256": digest.hexdigest()}]}
    _ask(connection, "PUT", f"{version}/1/artifact", headers, json.dumps(files))
    began = time.monotonic()
    connection.request("GET", f"{version}/1/artifact/files/a.bin", headers=headers)
    answer, came = connection.getresponse(), hashlib.sha256()
    while piece := answer.read(MEBIBYTE):
        came.update(piece)
    down = time.monotonic() - began
    ended.set()
    watcher.join()
    same = "the same bytes" if came.digest() == digest.digest() else "DIFFERENT BYTES"
    print(f"{count:,} MiB uploaded in {up:.1f} s, downloaded in {down:.1f} s, {same}")
    print(f"memory of the server: {before:,.0f} MiB before, at most {most[0] - before:,.0f} more")


def _pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield PIECE


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str | Iterator[bytes],
) -> None:
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= http.client.BAD_REQUEST:
        raise SystemExit(f"{method} {path}: {answer.status} {text[:300]!r}")


def _watch(parent: int, most: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.05):
        most[0] = max(most[0], _memory(parent))


def _memory(parent: int) -> float:
    """Return the memory of the process and its children in MiB."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(folder.name) == parent or int(fields[1]) == parent:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total / MEBIBYTE


if __name__ == "__main__":
    main()
