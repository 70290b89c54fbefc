"""Measure how the time of MLflow protocol requests grows with the number of versions.

    python bench/mlflow_protocol.py [VERSIONS]

Fills a temporary SQLite database, sends the same requests to a small and to a large registry, and
prints the median time of each, the ratio, and the number of statements. A tenth of the versions
belong to one model. The rows are written directly into the tables, so only reading is measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from statistics import median
from typing import Any

from board import fill

ROUNDS = 15
SMALL = 1_000
LARGE_MODEL = "all-in-one"
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "get": ("model-versions/get", {"name": LARGE_MODEL, "version": "7"}),
    "latest": ("registered-models/get-latest-versions", {"name": LARGE_MODEL}),
    "50 models": ("registered-models/search", {"max_results": 50}),
    "models, LIKE": (
        "registered-models/search",
        {"max_results": 50, "filter": "name LIKE '%-0001%'"},
    ),
    "20 of a model": (
        "model-versions/search",
        {"max_results": 20, "filter": f"name = '{LARGE_MODEL}'"},
    ),
    "20, all": ("model-versions/search", {"max_results": 20}),
    "20, by number": (
        "model-versions/search",
        {"max_results": 20, "order_by": "version_number DESC"},
    ),
    "20, by a tag": (
        "model-versions/search",
        {"max_results": 20, "filter": "tags.family = 'f7'"},
    ),
    "20, by a run": ("model-versions/search", {"max_results": 20, "filter": "run_id = 'r-7'"}),
}


def main() -> None:
    """Fill the database, measure, print the results."""
    versions = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        os.environ["OBEYA_DATA_DIR"] = directory
        # The limit is raised, not removed: every request is counted, as in production.
        os.environ["OBEYA_API_RATE"] = "100000"
        os.environ["DJANGO_SETTINGS_MODULE"] = "registry_site.settings"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        measured = {}
        for size in (SMALL, versions):
            fill(size - size // 10)
            _fill_large_model(size // 10)
            measured[size] = {name: _measure(*asked) for name, asked in REQUESTS.items()}
        print(f"{'request':<14} {SMALL:>9,} ms {versions:>11,} ms   ratio  statements")
        for name in REQUESTS:
            (small, _), (large, statements) = measured[SMALL][name], measured[versions][name]
            print(
                f"{name:<14} {small:>12.1f} {large:>14.1f} {large / small:>7.1f} {statements:>11}"
            )


def _fill_large_model(size: int) -> None:
    from boards import models
    from obeya.stages import Stage

    now = datetime.now(UTC)
    model, _ = models.RegisteredModel.objects.get_or_create(
        name=LARGE_MODEL, defaults={"created_at": now, "updated_at": now}
    )
    stages = list(Stage)
    models.ModelVersion.objects.bulk_create(
        models.ModelVersion(
            model=model,
            number=number,
            stage=stages[number % 4].value,
            source_run=f"r-{number}",
            created_at=now,
            updated_at=now - timedelta(seconds=number % 997),
            stage_entered_at=now,
        )
        for number in range(model.last_number + 1, size + 1)
    )
    models.RegisteredModel.objects.filter(pk=model.pk).update(
        last_number=size, **{f"{stage.value}_count": size // 4 for stage in Stage}
    )


def _measure(path: str, query: dict[str, Any]) -> tuple[float, int]:
    """Return the median milliseconds of a request and its number of statements."""
    from django.db import connection
    from django.test import Client
    from django.utils import timezone

    from boards.access.actors import SYSTEM
    from boards.registry.accounts.tokens import create_token, service_account
    from obeya.tokens import Scope

    permissions = {"scopes": [Scope.READ], "actor": SYSTEM, "at": timezone.now()}
    user = service_account(username="bench", **permissions)
    _, token = create_token(user=user, name="bench", **permissions)
    client = Client(headers={"Authorization": f"Bearer {token}", "Host": "localhost"})

    def run() -> None:
        answer = client.get(f"/api/2.0/mlflow/{path}", query)
        if answer.status_code != HTTPStatus.OK:
            raise SystemExit(answer.content)

    run()
    statements = 0

    def count(execute: Any, *asked: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*asked)

    with connection.execute_wrapper(count):
        run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return median(times), statements


if __name__ == "__main__":
    main()
