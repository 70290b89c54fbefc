"""Measure the API while others try passwords: the time of a request, quiet and under attack.

    python bench/sign_ins.py [ATTACKERS]

Each attempt has a new name and a new address, so that only the bound on password hashes refuses
attempts. Prints the times, and the statuses of the attempts. The processes share the machine's
cores.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from random import getrandbits
from urllib.parse import urlencode

SECONDS = 8
# The limit is raised, not removed: every request is counted, as in production.
SETTINGS = {"OBEYA_API_RATE": "100000", "OBEYA_TRUSTED_PROXIES": "127.0.0.1"}


def main() -> None:
    """Start the server, measure, print the results."""
    attackers = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    obeya = [sys.executable, "-m", "obeya.cli"]
    with tempfile.TemporaryDirectory() as directory:
        data = ["--data-dir", directory]
        server = subprocess.Popen(
            [*obeya, "serve", *data, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | SETTINGS,
        )
        try:
            port = _port(server)
            created = [*obeya, "token", "create", "--scopes", "read", *data]
            printed = subprocess.run(created, capture_output=True, text=True, check=True).stdout
            _measure(port, printed.split()[-1], attackers)
        finally:
            server.terminate()
            server.wait()


def _port(server: subprocess.Popen[str]) -> int:
    for line in server.stdout or ():
        if found := re.match(r"http://[^:]+:(\d+)/$", line.strip()):
            return int(found[1])
    raise SystemExit("The server did not start.")


def _measure(port: int, token: str, attackers: int) -> None:
    stop, statuses = threading.Event(), Counter[int]()
    threads = [
        threading.Thread(target=_attack, args=(port, stop, statuses)) for _ in range(attackers)
    ]
    print(f"{'':<14} {'requests':>8} {'median ms':>10} {'p95 ms':>8}")
    _print("quiet", _times(port, token))
    for thread in threads:
        thread.start()
    _print("under attack", _times(port, token))
    stop.set()
    for thread in threads:
        thread.join()
    print(f"attempts by status: {json.dumps(dict(statuses))}")


def _times(port: int, token: str) -> list[float]:
    """Return the times of requests that follow each other, in ms, sorted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        start = time.perf_counter()
        connection.request("GET", "/api/v1/models", headers={"Authorization": f"Bearer {token}"})
        connection.getresponse().read()
        times.append((time.perf_counter() - start) * 1000)
    return sorted(times)


def _print(name: str, times: list[float]) -> None:
    median, p95 = times[len(times) // 2], times[len(times) * 95 // 100]
    print(f"{name:<14} {len(times):>8,} {median:>10.1f} {p95:>8.1f}")


def _attack(port: int, stop: threading.Event, statuses: Counter[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/sign-in/")
    page = connection.getresponse()
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    field = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    while field and not stop.is_set():
        form = {
            "username": f"{getrandbits(64):x}",
            "password": "wrong",
            "csrfmiddlewaretoken": field[1],
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookie,
            "X-Forwarded-For": f"2001:db8:{getrandbits(16):x}:{getrandbits(16):x}::1",
        }
        connection.request("POST", "/sign-in/", urlencode(form), headers)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
        # An impatient client: it waits a little.
        stop.wait(0.05 if answer.status == http.client.TOO_MANY_REQUESTS else 0)


if __name__ == "__main__":
    main()
