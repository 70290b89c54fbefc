"""Write `before_squash/` again. Runs only on commit 457acaf, whose data it contains:

    git worktree add /tmp/before 457acaf
    PYTHONPATH=/tmp/before python tests/migrations/make_fixtures.py tests/migrations/before_squash

- `obeya.sqlite3.gz`: the database of a data directory, without the key files beside it
- `postgresql.sql.gz`: the same on PostgreSQL, by pg_dump
- `export.tar.gz`: the output of `obeya export` for the first

The files contain no usable secret: no account has a password, tokens and links are stored as
hashes, and the key that decrypts the webhook secrets is not included.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path


def main(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    os.environ["DJANGO_SETTINGS_MODULE"] = "registry_site.settings"
    with tempfile.TemporaryDirectory(prefix="obeya-test-") as folder:
        write_sqlite(Path(folder), target)
        write_postgresql(Path(folder), target)


def write_sqlite(folder: Path, target: Path) -> None:
    data = folder / "data"
    run(__file__, "fill", OBEYA_DATA_DIR=data)
    run("-m", "obeya.cli", "export", folder / "export", OBEYA_DATA_DIR=data)
    with tarfile.open(target / "export.tar.gz", "w:gz") as archive:
        archive.add(folder / "export", "export")
    with closing(sqlite3.connect(data / "obeya.sqlite3")) as database:
        database.execute("VACUUM INTO ?", [str(folder / "obeya.sqlite3")])
    write_compressed(target / "obeya.sqlite3.gz", (folder / "obeya.sqlite3").read_bytes())


def write_postgresql(folder: Path, target: Path) -> None:
    from tests.plugins.postgresql import running_postgresql

    with running_postgresql(folder) as url:
        run(__file__, "fill", OBEYA_DATA_DIR=folder / "beside", DATABASE_URL=url)
        (program,) = folder.glob("binaries/*/*/bin/pg_dump")
        options = ("--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges")
        command = [program, *options, "--host", folder / "socket", "--username", "obeya"]
        dump = subprocess.run([*command, "postgres"], check=True, stdout=subprocess.PIPE).stdout
    # Commands of psql, which a database does not understand.
    lines = [line for line in dump.splitlines(keepends=True) if not line.startswith(b"\\")]
    write_compressed(target / "postgresql.sql.gz", b"".join(lines))


def run(*arguments: object, **more: object) -> None:
    environment = os.environ | {name: str(value) for name, value in more.items()}
    subprocess.run([sys.executable, *map(str, arguments)], check=True, env=environment)


def write_compressed(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, mtime=0))


def fill() -> None:
    """Trigger every event of docs/webhook-events.md, and create what is still in use."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from boards import registry as write
    from boards.models import User
    from boards.registry import SYSTEM, DatabaseRegistry
    from boards.registry.deliveries import Attempt, Outcome, lease_due, record_attempts
    from obeya import Comparison, PromotionPolicy, Stage
    from obeya.transitions.guardrails import Guardrail
    from obeya.transitions.limits import WipLimit
    from scripts.webhook_events import make_everything_happen

    make_everything_happen()
    hours = iter(range(1, 1000))
    start = datetime(2026, 6, 1, 9, tzinfo=UTC)
    ada, bob = (
        DatabaseRegistry(
            actor=User.objects.get(username=name),
            clock=lambda: start + timedelta(hours=next(hours)),
        )
        for name in ("ada", "bob")
    )
    ada.set_policy(PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.5))
    for name in ("bert", "模型 ü"):
        for number in range(1, 5):
            ada.register_model(
                name, None, {"accuracy": number / 5, "größe": 1e22}, description="✓ trained"
            )
            ada.set_tag(name, "family", "x", version=number)
        for number in (3, 4):
            for stage in (Stage.STAGING, Stage.PRODUCTION):
                ada.transition_stage(name, number, stage, reason="Go", archive_existing=True)
        ada.set_alias(name, "best", 4)
        ada.set_tag(name, "team", "language")
    ada.rollback("bert", reason="Worse")
    ada.waive(
        "bert", 1, ["accuracy ≥ 0.5"], reason="A trial", expires_at=start + timedelta(days=90)
    )
    ada.transition_stage("bert", 1, Stage.STAGING)
    ada.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(2), "bert")
    ada.request_transition("bert", 1, Stage.PRODUCTION, reason="Please")
    bob.approve("bert", 1, comment="Fine")
    ada.set_wip_limit(WipLimit(Stage.PRODUCTION, 3))
    ada.set_guardrail("bert", Guardrail("errors", Comparison.LTE, 0.1))
    ada.report_live_metric("bert", "errors", 0.5)
    now = start + timedelta(days=30)
    write.make_token(
        user=User.objects.get(username="ada"), name="CI", scopes=["read"], actor=SYSTEM, at=now
    )
    answers = [Outcome(7, status_code=code, response="-") for code in (200, 200, 500)]
    leased = lease_due(limit=9, per_webhook=9, seconds=60, at=datetime.now(UTC))
    record_attempts(
        [Attempt(each, answers[n % 3], made_at=datetime.now(UTC)) for n, each in enumerate(leased)]
    )
    write.verify_new_events(actor=SYSTEM, at=now)
    for user in User.objects.all():
        user.set_unusable_password()
        user.save(update_fields=["password"])


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill()
    else:
        main(Path(sys.argv[1]).resolve())
