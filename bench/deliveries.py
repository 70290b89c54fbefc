"""Measure how fast webhook deliveries arrive.

    python bench/deliveries.py [EVENTS]

Starts `obeya worker` on a temporary registry and a receiver on loopback, writes that many events
(400 by default) as fast as it can, and prints how long after the last write the last delivery
arrived, how many arrived per second, and the worker's processor time: with one endpoint, and with
eight. Uses SQLite, or the empty PostgreSQL database of DATABASE_URL.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from obeya.records import VersionDraft

SECONDS_WITHOUT_DELIVERY = 60


class Arrivals:
    """The number of deliveries that arrived."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def add(self) -> None:
        """Count one more message."""
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Wait until `count` deliveries have arrived."""
        with self._changed:
            while self.count < count:
                if not self._changed.wait(SECONDS_WITHOUT_DELIVERY):
                    raise SystemExit(f"Only {self.count} of {count} deliveries arrived.")


def main() -> None:
    """Measure with one endpoint and with eight."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "registry_site.settings",
            "OBEYA_DATA_DIR": directory,
            "OBEYA_WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        for endpoints, name in ((1, "one"), (8, "several")):
            _measure(events, endpoints, name)


def _measure(events: int, endpoints: int, name: str) -> None:
    from django.utils import timezone

    from boards.access.actors import SYSTEM
    from boards.registry.catalog.registration import register_version
    from boards.registry.webhooks.endpoints import create_webhook
    from obeya.webhooks.endpoints import Subscription, Target

    model = f"{name}-endpoints"
    arrivals = Arrivals()
    processor_before = _worker_processor_seconds()
    with _receiver(arrivals) as address, _worker():
        for number in range(endpoints):
            create_webhook(
                name=f"{name} {number}",
                target=Target.WEBHOOK,
                address=address,
                subscription=Subscription(types=("model_version.registered",), models=(model,)),
                actor=SYSTEM,
                at=timezone.now(),
            )
        # The first message arrives once the worker has started.
        register_version(draft=VersionDraft(model=model), actor=SYSTEM, at=timezone.now())
        arrivals.wait_for(endpoints)
        began = time.monotonic()
        for _ in range(events):
            register_version(draft=VersionDraft(model=model), actor=SYSTEM, at=timezone.now())
        written = time.monotonic()
        arrivals.wait_for(endpoints * (events + 1))
        ended = time.monotonic()
    count = endpoints * events
    processor = _worker_processor_seconds() - processor_before
    print(
        f"{endpoints} endpoint{'s' if endpoints > 1 else ''}: {count} deliveries; "
        f"written in {written - began:.1f} s, the last arrived {ended - written:.1f} s later; "
        f"{count / (ended - began):.0f} deliveries/s, "
        f"{1_000 * processor / count:.1f} ms of processor time of the worker for each"
    )


def _worker_processor_seconds() -> float:
    """Return user and system time of the ended workers in seconds, including their start."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _receiver(arrivals: Arrivals) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            arrivals.add()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def _worker() -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "obeya.cli", "worker"], stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
