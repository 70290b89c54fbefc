"""Measure pages, verification and export of a large audit log.

    python bench/audit.py [EVENTS] [--keep DIRECTORY]

Fills a temporary SQLite database with models, versions and their events, a fifth of which are
moves. Prints the median time of each page of the log and of the board on a past date, and the times
of verification and export. The events are created in Python with their real hashes and written
directly into the tables, so only reading is measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

ROUNDS = 7
VERSIONS_OF_A_MODEL = 50
START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 700
FILTERS = {
    "everything": {},
    "actor": {"actor": "user7"},
    "actor, rare": {"actor": "rare"},
    "action": {"action": "model_version.stage_transitioned"},
    "action, rare": {"action": "model_version.deleted"},
    "model": {"model": "model-00007"},
    "version": {"model": "model-00007", "version": "7"},
    "stage, either side": {"stage": "staging"},
    "stage, out of": {"stage": "production", "side": "out_of"},
    "period": {"since": "2025-03-01", "until": "2025-03-31"},
    "channel": {"channel": "cli"},
    "channel, rare": {"channel": "mlflow"},
    "channel, no match": {"channel": "python"},
    "actor + action": {"actor": "user7", "action": "model_version.stage_transitioned"},
    "actor + rare action": {"actor": "user7", "action": "model_version.deleted"},
    "rare actor + channel": {"actor": "rare", "channel": "cli"},
    "channel + stage": {"channel": "mlflow", "stage": "production"},
    "period + rare actor": {"actor": "rare", "since": "2024-02-01", "until": "2025-10-01"},
}


def main() -> None:
    """Fill the database, measure, print the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("events", nargs="?", type=int, default=1_000_000)
    parser.add_argument(
        "--keep", help="store the database in this directory, or use the one that is already there"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(arguments.keep or scratch)
        directory.mkdir(exist_ok=True)
        os.environ["OBEYA_DATA_DIR"] = str(directory)
        os.environ["DJANGO_SETTINGS_MODULE"] = "registry_site.settings"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        fill(arguments.events)
        report()


def fill(events: int) -> None:
    """Write about `events` events into an empty log; leave a log that is not empty unchanged."""
    from django.db import transaction

    from boards import models

    if models.AuditEvent.objects.exists():
        return
    random = Random(events)  # noqa: S311 - a benchmark needs the same rows each time
    users = models.User.objects.bulk_create(
        models.User(username=name) for name in (*(f"user{n}" for n in range(20)), "rare")
    )
    # A version takes about ten events: its registration, one to four moves, and metrics.
    versions = max(VERSIONS_OF_A_MODEL, events // 10)
    for first in range(0, versions // VERSIONS_OF_A_MODEL, 50):
        with transaction.atomic():
            for number in range(first, min(first + 50, versions // VERSIONS_OF_A_MODEL)):
                _fill_model(number, random, users)


def _fill_model(number: int, random: Random, users: list[Any]) -> None:
    from boards import models
    from obeya import audit
    from obeya.records import Action, Channel
    from obeya.stages import Stage

    channels = [Channel.PAGE, Channel.API, Channel.CLI]
    model = models.RegisteredModel.objects.create(
        name=f"model-{number:05}", created_at=START, updated_at=START
    )
    rows = models.ModelVersion.objects.bulk_create(
        models.ModelVersion(
            model=model, number=n, created_at=START, updated_at=START, stage_entered_at=START
        )
        for n in range(1, VERSIONS_OF_A_MODEL + 1)
    )
    pending = sorted(_story(rows, random), key=lambda told: told[0])
    previous, made = audit.GENESIS, []
    for sequence, (at, action, version, from_stage, to_stage) in enumerate(pending, 1):
        user = users[-1] if random.random() < 5e-5 else users[random.randrange(20)]
        channel = Channel.MLFLOW if random.random() < 5e-5 else random.choice(channels)
        event = audit.AuditEvent(
            chain=str(model.uid),
            sequence=sequence,
            occurred_at=at,
            recorded_at=at,
            actor=str(user.uid),
            channel=channel,
            action=action,
            previous_hash=previous,
            model=str(model.uid),
            version=version.number,
            from_stage=from_stage,
            to_stage=to_stage,
            data={"metrics": {"accuracy": {"new": {"value": random.random()}, "old": None}}}
            if action is Action.METRICS_LOGGED
            else {},
        )
        text = event.canonical_text()
        previous = audit.event_hash(text)
        made.append(
            models.AuditEvent(
                model=model,
                version=version,
                sequence=sequence,
                occurred_at=at,
                recorded_at=at,
                actor=user,
                channel=channel.value,
                action=action.value,
                from_stage=from_stage.value if from_stage else "",
                to_stage=to_stage.value if to_stage else "",
                canonical_text=text,
                previous_hash=event.previous_hash,
                hash=previous,
            )
        )
        if to_stage and action is not Action.VERSION_DELETED:
            version.stage, version.stage_entered_at = to_stage.value, at
        if action is Action.VERSION_DELETED:
            version.deleted_at = at
    models.AuditEvent.objects.bulk_create(made)
    models.ModelVersion.objects.bulk_update(rows, ["stage", "stage_entered_at", "deleted_at"])
    living = [row for row in rows if row.deleted_at is None]
    models.RegisteredModel.objects.filter(pk=model.pk).update(
        last_number=len(rows),
        chain_length=len(made),
        chain_hash=previous,
        chain_occurred_at=pending[-1][0],
        **{
            f"{stage.value}_count": sum(row.stage == stage.value for row in living)
            for stage in Stage
        },
    )


def _story(rows: list[Any], random: Random) -> Iterator[tuple[Any, ...]]:
    """Yield what happens to the versions of a model: registered, moved, measured, deleted."""
    from obeya.records import Action
    from obeya.stages import Stage

    path = [Stage.DEVELOPMENT, Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED]
    for row in rows:
        at = START + timedelta(minutes=random.randrange(DAYS * 24 * 60))
        yield at, Action.VERSION_REGISTERED, row, None, Stage.DEVELOPMENT
        # Most versions reach the last stage, so that many have left each stage and few are in it.
        steps = random.choices((0, 1, 2, 3), (15, 5, 3, 77))[0]
        for before, after in list(pairwise(path))[:steps]:
            at += timedelta(minutes=random.randrange(1, 14 * 24 * 60))
            yield at, Action.STAGE_TRANSITIONED, row, before, after
        for _ in range(random.randrange(5, 9)):
            at += timedelta(minutes=1)
            yield at, Action.METRICS_LOGGED, row, None, None
        if random.random() < 1e-3:
            yield at, Action.VERSION_DELETED, row, path[steps], None


def report() -> None:
    """Measure and print the results."""
    from boards import models

    events, moves = models.AuditEvent.objects.count(), models.StageTransition.objects.count()
    versions = models.ModelVersion.objects.count()
    print(f"{events:,} events, {moves:,} of them moves, of {versions:,} versions\n")
    _report_pages()
    _report_past()
    _report_whole()


def _report_pages() -> None:
    from boards.queries.audit.audit_filter import AuditFilter
    from boards.queries.audit.audit_page import audit_page
    from boards.queries.paging.keyset import Cursor

    middle = Cursor(START + timedelta(days=DAYS / 2), 0)
    print(f"{'page of the log':<22} {'first':>9} {'deep':>9}  statements")
    for name, fields in FILTERS.items():
        chosen, problems = AuditFilter.parse(fields)
        if problems:
            raise SystemExit(str(problems))
        first, statements = measure(lambda chosen=chosen: audit_page(chosen))
        deep, _ = measure(lambda chosen=chosen: audit_page(chosen, None, middle))
        print(f"{name:<22} {first:>6.1f} ms {deep:>6.1f} ms {statements:>11}")


def _report_past() -> None:
    from boards import models
    from boards.queries.audit.as_of import board_as_of, column_as_of, in_production_on
    from boards.queries.paging.keyset import Cursor
    from boards.queries.search.board_filter import BoardFilter
    from obeya.stages import Stage

    print(f"\n{'board on a past date':<22} {'':>9} {'':>9}  statements")
    for name, days, board_filter in (
        ("the first month", 30, BoardFilter()),
        ("the middle", DAYS // 2, BoardFilter()),
        ("the end", DAYS + 60, BoardFilter()),
        ("the middle, a model", DAYS // 2, BoardFilter(model="model-00007")),
        ("the middle, a text", DAYS // 2, BoardFilter(text="model-0007")),
        ("the middle, no match", DAYS // 2, BoardFilter(text="nothing")),
    ):
        moment = START + timedelta(days=days)
        taken, statements = measure(lambda m=moment, f=board_filter: board_as_of(m, f))
        print(f"{name:<22} {taken:>6.1f} ms {'':>9} {statements:>11}")
    moment = START + timedelta(days=DAYS)
    for stage in (Stage.PRODUCTION, Stage.ARCHIVED):
        after = Cursor(START + timedelta(days=DAYS / 4), 0)
        taken, statements = measure(
            lambda s=stage, a=after: column_as_of(moment, BoardFilter(), s, a)
        )
        print(f"{f'deep in {stage.label}':<22} {taken:>6.1f} ms {'':>9} {statements:>11}")
    model = models.RegisteredModel.objects.get(name="model-00007")
    taken, statements = measure(lambda: in_production_on(model, moment.date()))
    print(f"{'in Production on a day':<22} {taken:>6.1f} ms {'':>9} {statements:>11}")


def _report_whole() -> None:
    from django.utils import timezone

    from boards.access.actors import SYSTEM
    from boards.queries.audit.audit_export import ExportForm, export_lines
    from boards.queries.audit.audit_filter import AuditFilter
    from boards.queries.verification.verification import verify_chains
    from boards.registry.verification import verify_new_events

    print()
    taken, _ = measure(lambda: verify_new_events(actor=SYSTEM, at=timezone.now()), rounds=1)
    print(f"verify now, one click: {taken / 1000:.1f} s")
    for form in ExportForm:
        before = memory()
        taken, _ = measure(lambda f=form: sum(map(len, export_lines(f, AuditFilter()))), rounds=1)
        print(
            f"export as {form.value}: {taken / 1000:.1f} s, {memory() - before:.0f} MB more memory"
        )
    before = memory()
    taken, _ = measure(verify_chains, rounds=1)
    print(f"verify everything: {taken / 1000:.1f} s, {memory() - before:.0f} MB more memory")


def memory() -> float:
    """Return the peak memory of the process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(run: Callable[[], object], *, rounds: int = ROUNDS) -> tuple[float, int]:
    """Return the median milliseconds of `run`, and its number of statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    statements = 0
    if rounds > 1:
        with CaptureQueriesContext(connection) as captured:
            run()
        statements = len(captured)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
        if times[0] > 5_000:
            break
    return median(times), statements


if __name__ == "__main__":
    main()
