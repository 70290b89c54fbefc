"""Every delivery arrives, even if server and worker are killed repeatedly."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from obeya import RemoteRegistry
from obeya.errors import RegistryError
from tests.packaging.test_commands import process_environment, run
from tests.webhooks.receivers import Receiver, receiving

KILLS = 20
# Only a server that hangs takes so long.
SECONDS = 300
MAKE = """
import sys, django
django.setup()
from django.utils import timezone
from boards.access.actors import SYSTEM
from boards.registry.webhooks.endpoints import create_webhook
from obeya.webhooks.endpoints import Subscription, Target
_, secret = create_webhook(
    name="ci", target=Target.WEBHOOK, address=sys.argv[1],
    subscription=Subscription(types=("model_version.registered",)), actor=SYSTEM, at=timezone.now(),
)
print(secret)
"""


@contextmanager
def served(data: Path, *command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server command in a separate process group, which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "obeya.cli", *command],
        env=process_environment(data) | {"OBEYA_WEBHOOK_NETWORKS": "127.0.0.0/8"} | more,
        cwd=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def address_of(server: subprocess.Popen[str]) -> str:
    for line in server.stdout or ():
        if found := re.match(r"(http://127\.0\.0\.1:\d+)/$", line.strip()):
            return found[1]
    raise AssertionError("the server did not start")


def wait_for(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the data directory of an empty registry."""
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    with served(place, "serve", "--port", "0", OBEYA_WORKER="0") as server:
        address_of(server)
    return place


def endpoint(data: Path, receiver: Receiver) -> None:
    made = subprocess.run(
        [sys.executable, "-c", MAKE, receiver.url],
        env=process_environment(data)
        | {
            "DJANGO_SETTINGS_MODULE": "registry_site.settings",
            "OBEYA_WEBHOOK_NETWORKS": "127.0.0.0/8",
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    receiver.secrets = [made.stdout.strip()]


@pytest.mark.release
def test_every_event_arrives_although_both_processes_are_killed_twenty_times(data: Path) -> None:
    token = run(data, "token", "create", "--scopes", "read,write").stdout.split()[-1]
    acknowledged: set[int] = set()
    with receiving() as receiver:
        endpoint(data, receiver)
        for number in range(KILLS):
            with served(data, "serve", "--port", "0", "--workers", "1") as server:
                registry = RemoteRegistry(address_of(server), token, attempts=1)
                # Killed after a different number of writes each time, during deliveries.
                for _ in range(1 + 3 * number):
                    with suppress(RegistryError):
                        acknowledged.add(registry.register_model("resnet50").version)
        assert acknowledged
        # Deliveries that a killed worker had begun are leased for up to a minute.
        with served(data, "worker"):
            receiver.wait_until(lambda: versions_of(receiver) >= acknowledged)
            listed = run(data, "audit", "export")
            registered = listed.stdout.count('\\"action\\":\\"model_version.registered\\"')
            receiver.wait_until(lambda: len(set(receiver.ids)) == registered)
    assert receiver.wrong == []
    assert versions_of(receiver) == set(range(1, registered + 1))
    verified = run(data, "audit", "verify")
    assert verified.returncode == 0, verified.stdout


def versions_of(receiver: Receiver) -> set[int]:
    return {message["data"]["version"] for message in list(receiver.received)}


def test_serve_restarts_its_worker_and_stops_it_with_the_server(data: Path) -> None:
    def workers() -> list[int]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (place / "cmdline").read_bytes().split(b"\0")
                environment = (place / "environ").read_bytes()
                if words[-3:-2] == [b"work"] and str(data).encode() in environment:
                    found.append(int(place.name))
        return found

    def settled(count: int) -> bool:
        return len(workers()) == count

    with served(data, "serve", "--port", "0") as server:
        address_of(server)
        wait_for(lambda: settled(1))
        (first,) = workers()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: settled(1) and workers() != [first])
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=SECONDS) == 0
        wait_for(lambda: settled(0))
