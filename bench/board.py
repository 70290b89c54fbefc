"""Measure how the time of the board grows with the number of versions.

    python bench/board.py [VERSIONS]

Fills a temporary SQLite database, requests the same pages of a small and of a large registry, and
prints the median time of each, the ratio, and the number of statements. The rows are written
directly into the tables, so only reading is measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

ROUNDS = 15
SMALL = 1_000
PAGES = {
    "whole board": "",
    "search": "q=model-01",
    "search, rare": "q=model-0199",
    "metric": "metric=accuracy >= 0.9",
    "metric, rare": "metric=accuracy >= 0.9999",
    "tag": "tag=family=f7",
    "one model": "model=model-00007",
    "owner": "owner=unknown",
}


def main() -> None:
    """Fill the database, measure, print the results."""
    versions = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        os.environ["OBEYA_DATA_DIR"] = directory
        os.environ["DJANGO_SETTINGS_MODULE"] = "registry_site.settings"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        measured = {}
        for size in (SMALL, versions):
            fill(size)
            measured[size] = {name: measure(query) for name, query in PAGES.items()}
        print(f"{'page':<14} {SMALL:>9,} ms {versions:>11,} ms   ratio  statements")
        for name in PAGES:
            (small, _), (large, statements) = measured[SMALL][name], measured[versions][name]
            print(
                f"{name:<14} {small:>12.1f} {large:>14.1f} {large / small:>7.1f} {statements:>11}"
            )


def fill(size: int) -> None:
    """Fill the registry up to `size` versions, fifty per model, most of them in Development."""
    from boards import models
    from obeya.stages import Stage

    random = Random(size)  # noqa: S311 - a benchmark needs the same rows each time
    now = datetime.now(UTC)
    first = models.RegisteredModel.objects.count()
    registered = models.RegisteredModel.objects.bulk_create(
        models.RegisteredModel(name=f"model-{n:05}", created_at=now, updated_at=now)
        for n in range(first, size // 50)
    )
    for model in registered:
        stages = random.choices(list(Stage), (70, 10, 5, 15), k=50)
        entered = [now - timedelta(seconds=random.randrange(10**7)) for _ in stages]
        rows = models.ModelVersion.objects.bulk_create(
            models.ModelVersion(
                model=model,
                number=number,
                stage=stage.value,
                created_at=now,
                updated_at=moment,
                stage_entered_at=moment,
            )
            for number, (stage, moment) in enumerate(zip(stages, entered, strict=True), 1)
        )
        models.Metric.objects.bulk_create(
            models.Metric(version=row, name=name, value=random.random(), logged_at=now)
            for row in rows
            for name in ("accuracy", "f1", "latency_ms", "auc", "loss")
        )
        models.VersionTag.objects.bulk_create(
            models.VersionTag(version=row, key="family", value=f"f{model.pk % 50}") for row in rows
        )
        champion = next((row for row in rows if row.stage == Stage.PRODUCTION), None)
        models.RegisteredModel.objects.filter(pk=model.pk).update(
            last_number=50,
            champion=champion,
            **{f"{stage.value}_count": stages.count(stage) for stage in Stage},
        )


def measure(query: str) -> tuple[float, int]:
    """Return the median milliseconds of a filtered board, and its number of statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from boards.queries.board.board_columns import board
    from boards.queries.search.board_filter import BoardFilter

    lists = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        lists[name] = [value]
    run: Callable[[], object] = lambda: board(BoardFilter.parse(lists))  # noqa: E731
    with CaptureQueriesContext(connection) as statements:
        run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return median(times), len(statements)


if __name__ == "__main__":
    main()
