"""Measure the impact preview of a draft policy on a large registry.

    python bench/what_if.py [VERSIONS]

Fills a temporary SQLite database with versions of five metrics each, fifty per model. Nearly a
third of them were promoted with frozen evidence. Previews the same drafts of the default policy for
a small and for a large registry, and prints the median time of each, the number of versions and
past promotions that were checked, and the number of statements. The rows are written directly into
the tables, so only reading and checking is measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boards.queries.policies.what_if import WhatIf
    from obeya.policy.policy import PromotionPolicy

ROUNDS = 5
SMALL = 1_000
VERSIONS_OF_A_MODEL = 50
METRICS = ("accuracy", "f1", "latency_ms", "auc", "loss")


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
            measured[size] = {name: measure(draft) for name, draft in drafts().items()}
        print(
            f"{'draft':<24} {SMALL:>9,} ms {versions:>11,} ms"
            f" {'versions':>10} {'promotions':>11} statements"
        )
        for name in drafts():
            small, _, _ = measured[SMALL][name]
            large, found, statements = measured[versions][name]
            print(
                f"{name:<24} {small:>12.1f} {large:>14.1f}"
                f" {found.versions:>10,} {found.promoted:>11,} {statements:>10}"
            )


def drafts() -> dict[str, PromotionPolicy]:
    """Return the drafts to run, the fastest first."""
    from obeya.policy.artifact_rules import ArtifactDigest
    from obeya.policy.bounds import Comparison
    from obeya.policy.policy import PromotionPolicy
    from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
    from obeya.stages import Stage

    empty = PromotionPolicy(Stage.PRODUCTION)
    five = empty
    for name in METRICS:
        five = five.require_metric(name, Comparison.GTE, 0.2)
    relative, beyond = empty, empty
    for name in METRICS:
        relative = relative.require_against_champion(name, Comparison.GTE, -1, in_percent=True)
        beyond = beyond.require_against_champion(name, Comparison.GT, beyond_noise=True)
    everything = PromotionPolicy(
        Stage.PRODUCTION,
        (
            *five.requirements,
            *relative.requirements,
            *beyond.requirements,
            RequiredTag("family"),
            RequiredDescription(),
            ArtifactDigest(),
            TimeInStage(24),
        ),
    )
    return {
        "nothing": empty,
        "one metric": empty.require_metric("accuracy", Comparison.GTE, 0.5),
        "five metrics": five,
        "five against champion": relative,
        "five beyond noise": beyond,
        "everything": everything,
    }


def fill(size: int) -> None:
    """Fill the registry up to `size` versions, most of them in Development."""
    from boards import models
    from obeya.stages import Stage

    random = Random(size)  # noqa: S311 - a benchmark needs the same rows each time
    now = datetime.now(UTC)
    first = models.RegisteredModel.objects.count()
    registered = models.RegisteredModel.objects.bulk_create(
        models.RegisteredModel(name=f"model-{n:05}", created_at=now, updated_at=now)
        for n in range(first, size // VERSIONS_OF_A_MODEL)
    )
    for model in registered:
        stages = random.choices(list(Stage), (70, 10, 5, 15), k=VERSIONS_OF_A_MODEL)
        rows = models.ModelVersion.objects.bulk_create(
            models.ModelVersion(
                model=model,
                number=number,
                stage=stage.value,
                description="Trained on the data of March." if number % 2 else "",
                artifact_uri=f"s3://models/{model.name}/{number}.safetensors",
                artifact_digest=f"sha256:{number:064}",
                created_at=now,
                updated_at=now,
                stage_entered_at=now - timedelta(seconds=random.randrange(10**7)),
            )
            for number, stage in enumerate(stages, 1)
        )
        values = {row.pk: {name: random.random() for name in METRICS} for row in rows}
        models.Metric.objects.bulk_create(
            models.Metric(version=row, name=name, value=value, samples=10_000, logged_at=now)
            for row in rows
            for name, value in values[row.pk].items()
        )
        models.VersionTag.objects.bulk_create(
            models.VersionTag(version=row, key="family", value=f"f{model.pk % 50}") for row in rows
        )
        champion = next((row for row in rows if row.stage == Stage.PRODUCTION), None)
        models.PolicyCheck.objects.bulk_create(
            models.PolicyCheck(
                version=row,
                from_stage=Stage.STAGING.value,
                to_stage=Stage.PRODUCTION.value,
                passed=True,
                allowed=True,
                verdict={"outcomes": []},
                evidence=evidence(row, champion, values),
                made_at=now - timedelta(seconds=random.randrange(10**7)),
            )
            for row in rows
            if row.stage != Stage.DEVELOPMENT
        )
        models.RegisteredModel.objects.filter(pk=model.pk).update(
            last_number=VERSIONS_OF_A_MODEL,
            champion=champion,
            **{f"{stage.value}_count": stages.count(stage) for stage in Stage},
        )


def evidence(row: Any, champion: Any, values: dict[int, dict[str, float]]) -> dict[str, Any]:
    """Return the frozen evidence of a promotion, as the write path stores it."""

    def side(version: Any) -> dict[str, Any]:
        metrics = {n: {"value": v, "samples": 10_000} for n, v in values[version.pk].items()}
        return {"number": version.number, "metrics": metrics}

    return {
        "version": side(row),
        "champion": side(champion) if champion and champion.pk != row.pk else None,
        "artifact_uri": row.artifact_uri,
        "artifact_digest": row.artifact_digest,
        "description": row.description,
        "tags": {"family": "f1"},
        "hours_in_stage": 30.0,
        "is_rollback": False,
        "waivers": [],
        "request": None,
        "approvals": [],
        "warnings": [],
    }


def measure(draft: PromotionPolicy) -> tuple[float, WhatIf, int]:
    """Return the median milliseconds of a draft, its result, and its number of statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from boards.queries.metrics.metric_names import unmeasured
    from boards.queries.policies.what_if import what_if
    from obeya.stages import Stage

    def run() -> WhatIf:
        unmeasured(draft.metric_names)
        return what_if(draft, Stage.PRODUCTION, None, timezone.now())

    with CaptureQueriesContext(connection) as statements:
        found = run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return median(times), found, len(statements)


if __name__ == "__main__":
    main()
