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

TIMES_CHAINS_MAX = 3
ROUNDS = 7
VERSIONS_OF_A_MODEL = 50
START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 700
METRICS = 5
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
    from boards.access.actors import SYSTEM
    from boards.registry.accounts.users import create_user

    if models.AuditEvent.objects.exists():
        return
    random = Random(events)  # noqa: S311 - a benchmark needs the same rows each time
    users = [
        create_user(username=name, group="viewer", actor=SYSTEM, at=START)
        for name in (*(f"user{n}" for n in range(20)), "rare")
    ]
    # A version takes about ten events: its registration, one to four moves, and metrics.
    versions = max(VERSIONS_OF_A_MODEL, events // 10)
    for first in range(0, versions // VERSIONS_OF_A_MODEL, 50):
        with transaction.atomic():
            for number in range(first, min(first + 50, versions // VERSIONS_OF_A_MODEL)):
                _fill_model(number, random, users)


def _fill_model(number: int, random: Random, users: list[Any]) -> None:
    """Write the events of a model, then the rows that they describe, so that both agree."""
    from boards import models
    from obeya.audit import chain as audit
    from obeya.audit.replay.replay import Replay
    from obeya.records import Action, Channel
    from obeya.stages import Stage

    channels = [Channel.PAGE, Channel.API, Channel.CLI]
    name = f"model-{number:05}"
    model = models.RegisteredModel.objects.create(name=name, created_at=START, updated_at=START)
    rows = models.ModelVersion.objects.bulk_create(
        models.ModelVersion(
            model=model, number=n, created_at=START, updated_at=START, stage_entered_at=START
        )
        for n in range(1, VERSIONS_OF_A_MODEL + 1)
    )
    pending = sorted(_story(rows, random), key=lambda told: told[0])
    pending.insert(0, (START, Action.MODEL_REGISTERED, None, None, None))
    replay, previous, made, checks = Replay(), audit.GENESIS, [], []
    for sequence, (at, action, version, from_stage, to_stage) in enumerate(pending, 1):
        user = users[-1] if random.random() < 5e-5 else users[random.randrange(20)]
        channel = Channel.MLFLOW if random.random() < 5e-5 else random.choice(channels)
        data = _data(action, random)
        if action is Action.STAGE_TRANSITIONED and to_stage is not Stage.ARCHIVED:
            check = _check(version, from_stage, to_stage, at, user)
            checks.append(check)
            data = {"check": str(check.uid), "check_digest": _check_digest(check)}
            data["checked_policy"] = None
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
            version=version.number if version else None,
            from_stage=from_stage,
            to_stage=to_stage,
            data=data,
            texts={"name": name} if action is Action.MODEL_REGISTERED else {},
        )
        text = event.canonical_text()
        previous = audit.event_hash(text)
        replay.add(audit.read_canonical_text(text), event.texts)
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
    models.AuditEvent.objects.bulk_create(made)
    models.AuditText.objects.create(event=made[0], role="name", text=name)
    models.PolicyCheck.objects.bulk_create(checks)
    ends = {"chain_length": len(made), "chain_hash": previous, "chain_occurred_at": pending[-1][0]}
    _write_rows(model, rows, replay.tables(), {str(user.uid): user for user in users}, ends)


def _write_rows(
    model: Any, rows: list[Any], tables: Any, users: dict[str, Any], ends: dict[str, Any]
) -> None:
    """Write what the replay of a model's events says."""
    from boards import models
    from obeya.audit.replay.state import Table

    numbered = {row.number: row for row in rows}
    for (number,), said in tables[Table.VERSION].items():
        _set(numbered[number], said.values, users)
    written = [column.name for column in models.ModelVersion._meta.local_fields[1:]]
    models.ModelVersion.objects.bulk_update(rows, written, batch_size=20)
    models.Metric.objects.bulk_create(
        _set(models.Metric(version=numbered[number], name=name), said.values, users)
        for (number, name), said in tables[Table.METRIC].items()
    )
    models.VersionTag.objects.bulk_create(
        models.VersionTag(version=numbered[number], key=key, value=said.values["value"])
        for (number, key), said in tables[Table.VERSION_TAG].items()
    )
    said = {**tables[Table.MODEL][()].values, **ends}
    champion = said.pop("champion")
    model.champion = numbered[champion] if champion else None
    _set(model, said, users).save()


def _set(row: Any, values: dict[str, Any], users: dict[str, Any]) -> Any:
    """Set the columns of a row; texts are empty, apart from the name."""
    from obeya.audit.replay.state import Text

    for column, value in values.items():
        if column == "owner":
            row.owner = users[value]
        elif column.endswith("_at") and isinstance(value, str):
            setattr(row, column, datetime.fromisoformat(value))
        elif not isinstance(value, Text) and column not in ("files", "findings"):
            setattr(row, column, value)
    return row


def _data(action: Any, random: Random) -> dict[str, Any]:
    from obeya.records import Action

    if action is Action.METRICS_LOGGED:
        return {"metrics": {"accuracy": {"new": {"value": random.random()}, "old": None}}}
    if action is Action.VERSION_REGISTERED:
        return {
            "label": "",
            "artifact_uri": "s3://models/1",
            "artifact_digest": "",
            "source_run": "",
            "metrics": {f"metric{n}": {"value": random.random()} for n in range(METRICS)},
            "tags": {"family": "trees", "team": "crm"},
        }
    return {}


def _check(version: Any, from_stage: Any, to_stage: Any, at: datetime, user: Any) -> Any:
    """Return a stored check with the documents of a small policy."""
    from boards import models

    metrics = {f"metric{n}": {"value": n / 7, "samples": 1000} for n in range(METRICS)}
    return models.PolicyCheck(
        version=version,
        from_stage=from_stage.value,
        to_stage=to_stage.value,
        passed=True,
        allowed=True,
        evidence_digest="0" * 64,
        verdict={"passed": True, "requirements": [{"name": name} for name in metrics]},
        evidence={"version": {"number": version.number, "metrics": metrics}, "champion": None},
        made_at=at,
        made_by=user,
    )


def _check_digest(check: Any) -> str:
    from boards.queries.facts.check_digest import check_digest

    return check_digest(check)


def _story(rows: list[Any], random: Random) -> Iterator[tuple[Any, ...]]:
    """Yield what happens to the versions of a model: registered, moved, measured, deleted."""
    from obeya.records import Action
    from obeya.stages import Stage

    path = [Stage.DEVELOPMENT, Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED]
    at = START
    for row in rows:
        # In the order of their numbers.
        at += timedelta(minutes=random.randrange(DAYS * 24 * 60 // len(rows)))
        yield at, Action.VERSION_REGISTERED, row, None, Stage.DEVELOPMENT
        moment = at
        # Most versions reach the last stage, so that many have left each stage and few are in it.
        steps = random.choices((0, 1, 2, 3), (15, 5, 3, 77))[0]
        for before, after in list(pairwise(path))[:steps]:
            moment += timedelta(minutes=random.randrange(1, 14 * 24 * 60))
            yield moment, Action.STAGE_TRANSITIONED, row, before, after
        for _ in range(random.randrange(5, 9)):
            moment += timedelta(minutes=1)
            yield moment, Action.METRICS_LOGGED, row, None, None
        if random.random() < 1e-3:
            yield moment, Action.VERSION_DELETED, row, path[steps], None


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
    chains, _ = measure(lambda: verify_chains(with_rows=False), rounds=1)
    print(f"verify the chains only: {chains / 1000:.1f} s, {memory() - before:.0f} MB more memory")
    before = memory()
    taken, _ = measure(_verify_everything, rounds=1)
    print(
        f"verify everything: {taken / 1000:.1f} s, {memory() - before:.0f} MB more memory, "
        f"{taken / chains:.2f} times the chains only (at most {TIMES_CHAINS_MAX})"
    )
    if taken > TIMES_CHAINS_MAX * chains:
        raise SystemExit("Verifying everything takes too long.")


def _verify_everything() -> None:
    from boards.queries.verification.verification import verify_chains

    report = verify_chains()
    if report.broken or report.rows:
        raise SystemExit("\n".join([*map(str, report.broken), *report.rows[:10]]))


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
