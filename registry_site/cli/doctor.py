"""`obeya doctor`: the problems of an installation, and what to do about them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from obeya.cli.options import database_options
from registry_site.cli._options import Misconfigured, set_up_existing

if TYPE_CHECKING:
    from boards.models import Blob

_SHOWN_MAX = 10
_FREE_BYTES_MIN = 500 * 1024 * 1024
Finding = tuple[bool, str]


@click.command
@click.option("--blobs", is_flag=True, help="Also read every stored file and check its digest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def doctor(*, blobs: bool, as_json: bool, **options: Any) -> None:
    """Check the installation: database, migrations, log protection, files, settings.

    Changes nothing, except the marks of damaged files. Exit status 0: no problem; 1: a problem,
    with what to do about it; 2: there is no registry to check.
    """
    set_up_existing(**options)

    from django.db import DatabaseError

    try:
        examinations = (*_EXAMINATIONS, _blobs if blobs else _damaged_files)
        findings = [finding for examine in examinations for finding in examine()]
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    if as_json:
        import json

        rows = [{"ok": well, "finding": sentence} for well, sentence in findings]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for well, sentence in findings:
            click.echo(f"{'ok' if well else 'BAD':<4}{sentence}")
    if not all(well for well, _ in findings):
        click.get_current_context().exit(1)


def _versions() -> Iterator[Finding]:
    from importlib.metadata import version

    import django

    yield (
        True,
        f"Obeya {version('obeya')}, Django {django.__version__}, Python {sys.version.split()[0]}.",
    )


def _database() -> Iterator[Finding]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version"
        )
        number = cursor.fetchone()[0]
    yield True, f"The database is {connection.display_name} {number}."
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA quick_check(1)")
            found = cursor.fetchone()[0]
            cursor.execute("PRAGMA journal_mode")
            mode = cursor.fetchone()[0]
        yield (
            found == "ok",
            "The SQLite file is intact."
            if found == "ok"
            else f"The SQLite file is damaged ({found}). Restore it from a backup.",
        )
        yield (
            mode == "wal",
            f"Its journal mode is {mode}."
            if mode == "wal"
            else f"Its journal mode is {mode}, not wal. Start the server once to set it.",
        )


def _system_checks() -> Iterator[Finding]:
    from django.core.checks import WARNING, run_checks

    problems = [p for p in run_checks(databases=["default"]) if p.is_serious(WARNING)]
    for problem in problems:
        hint = f" {problem.hint}" if problem.hint else ""
        yield False, f"{problem.msg}{hint}"
    if not problems:
        yield True, "The settings are valid, and the triggers of the audit log exist."


def _log() -> Iterator[Finding]:
    from boards.queries.verification.verification import verify_chains
    from boards.queries.verification.verification_state import verification_state

    state = verification_state()
    if state.last is None:
        yield True, "The audit log was never verified. Run obeya audit verify."
    else:
        when = f"{state.last.made_at:%Y-%m-%d %H:%M}"
        since = f"{state.left:,} of {state.events:,} events are newer"
        yield True, f"The audit log was verified on {when}; {since}."
    report = verify_chains()
    for link in report.broken[:_SHOWN_MAX]:
        yield False, f"Audit log: {link}"
    if len(report.broken) > _SHOWN_MAX:
        yield False, f"Audit log: {len(report.broken) - _SHOWN_MAX:,} more chains are broken."
    for sentence in report.rows[:_SHOWN_MAX]:
        yield False, f"Differs from the audit log: {sentence}"
    if report.differences > _SHOWN_MAX:
        yield False, f"{report.differences - _SHOWN_MAX:,} more differences from the audit log."
    if not report.differences and not report.broken:
        yield True, "All tables that the audit log describes match it."


def _aliases() -> Iterator[Finding]:
    from boards.queries.facts.governed_aliases import alias_violations

    count = 0
    for line in alias_violations():
        count += 1
        if count <= _SHOWN_MAX:
            yield False, f"{line.model}: {line.violation} {line.remedy}"
    if count > _SHOWN_MAX:
        yield False, f"{count - _SHOWN_MAX:,} more governed aliases point to the wrong version."
    if not count:
        yield True, "Every governed alias points to where it belongs."


def _accounts() -> Iterator[Finding]:
    from boards.access.permissions import Permission, people_who_may
    from boards.registry.accounts.users import anyone_has_password

    count = people_who_may(Permission.ADMINISTER).count()
    administrators = f"{count:,} administrator{'' if count == 1 else 's'}"
    if not count:
        yield (
            False,
            "There is no administrator. Run obeya user create NAME --group administrator.",
        )
    elif not anyone_has_password():
        yield (
            True,
            f"{administrators}. No account has a password yet: run obeya user link NAME.",
        )
    else:
        yield True, f"{administrators}."


def _files() -> Iterator[Finding]:
    from django.conf import settings

    directory = Path(settings.OBEYA_DATA_DIR)
    if not directory.is_dir():
        return
    writable = os.access(directory, os.W_OK)
    yield (
        writable,
        f"{directory} is writable." if writable else f"{directory} is not writable.",
    )
    open_to_others = bool(directory.stat().st_mode & 0o077)
    yield (
        not open_to_others,
        f"{directory} is readable only for its owner."
        if not open_to_others
        else f"Other users can read {directory}. Run chmod 700 {directory}",
    )
    free = shutil.disk_usage(directory).free
    yield free >= _FREE_BYTES_MIN, f"{free // 1024**2:,} MiB of disk space are free there."


def _blobs() -> Iterator[Finding]:
    from boards.queries.facts.files.artifact import differing_artifacts

    count, size = 0, 0
    for row, finding in _examined(only_marked=False):
        count, size = count + 1, size + row.size
        if finding:
            yield finding
    yield True, f"Read {count:,} stored files ({size:,} bytes)."
    for sentence in differing_artifacts():
        yield False, sentence


def _damaged_files() -> Iterator[Finding]:
    """Read only the content that is marked as damaged."""
    found = [finding for _, finding in _examined(only_marked=True) if finding]
    yield from found or [(True, "No stored file is marked as damaged.")]


def _examined(*, only_marked: bool) -> Iterator[tuple[Blob, Finding | None]]:
    """Yield each content that was read, with what was found; update the marks."""
    from django.utils import timezone

    from boards.queries.verification.blob_verification import examined_blobs
    from boards.registry.artifacts.damage import mark_damaged, mark_intact

    for blob in examined_blobs(only_marked=only_marked):
        finding: Finding | None = None
        if blob.damage:
            mark_damaged(found=blob.damage, at=timezone.now())
        if blob.fault:
            finding = False, f"{blob.fault} Upload it again, or restore it from a backup."
        elif blob.row.damage:
            mark_intact(blob=blob.row)
            finding = True, f"The content {blob.row.sha256} is intact again."
        yield blob.row, finding


_EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _versions,
    _database,
    _system_checks,
    _log,
    _aliases,
    _accounts,
    _files,
)
