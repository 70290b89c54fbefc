"""The write that restores a whole export into an empty installation.

The log is imported unchanged. Events are added only for accounts that it does not support, if that
is requested, and for the files of runs in an export of an older format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Field, Model
from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.queries.facts.import_marks import unchecked_by_log
from boards.queries.transfer.whole_export import HELD, NOUNS, Noun, written
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.adoption import adopt_accounts, unsupported_accounts
from boards.registry.artifacts.run_files import adopt_run_files
from obeya.records import Channel
from obeya.transfer.whole_export import FORMAT, BrokenExport

CHUNK = 1_000
NAMES_SHOWN = 10
# The files of runs in an export of an older format have no events.
RUN_FILE_EVENTS_SINCE = 2
Lines = Callable[[str], Iterator[tuple[int, dict[str, Any]]]]
ID_MAX = 2**63 - 1


class NotEmpty(Exception):
    """The installation is not empty."""


def require_empty() -> None:
    """Check that the installation is empty.

    Raises:
        NotEmpty: it is not; the sentence says what it contains.
    """
    for noun in NOUNS:
        if noun.model._default_manager.exists():
            raise NotEmpty(
                f"The installation is not empty: it has {noun.model._meta.verbose_name_plural}. "
                "Import into a data directory and database that no server was ever started on."
            )


def import_rows(
    *,
    lines: Lines,
    written_as: int = FORMAT,
    dry_run: bool = False,
    adopt_at: datetime | None = None,
) -> Mapping[str, int]:
    """Import everything with its ids, and verify it. Return the number of rows of each file.

    `lines` returns the numbered documents of a file, by the file's name; `written_as` is the format
    of the export. Everything is imported or nothing; with `dry_run` nothing is. Accounts whose
    permissions the log does not support are refused, or recorded as adopted at the time `adopt_at`.

    Raises:
        NotEmpty: the installation is not empty.
        BrokenExport: a line is invalid, a chain is broken, or other rows contradict the log.
    """
    counts = {}
    with transaction.atomic():
        require_empty()
        champions: list[tuple[int, int]] = []
        for noun in NOUNS:
            counts[noun.file] = _import(noun, lines(noun.file), champions)
        for pk, champion in champions:
            models.RegisteredModel.objects.filter(pk=pk).update(champion=champion)
        models.ModelVersion.objects.filter(pk__in=unchecked_by_log()).update(
            imported_unchecked=True
        )
        _check_references()
        importer = Actor(None, Channel.IMPORT)
        if adopt_at is not None:
            adopt_accounts(actor=importer, at=adopt_at)
        if written_as < RUN_FILE_EVENTS_SINCE:
            adopt_run_files(actor=importer, at=timezone.now())
        _verify()
        _continue_ids()
        if dry_run:
            transaction.set_rollback(True)
    return counts


def _import(
    noun: Noun,
    lines: Iterator[tuple[int, dict[str, Any]]],
    champions: list[tuple[int, int]],
) -> int:
    known = {member: HELD[member][2]() for member in noun.held}
    count = 0
    while batch := list(islice(lines, CHUNK)):
        rows: list[tuple[str, Model]] = []
        held: dict[str, list[Model]] = {member: [] for member in noun.held}
        for number, document in batch:
            where = f"{noun.file}, line {number}"
            names = {member: document.pop(member, None) for member in noun.held}
            row = _row(noun, document, where)
            for member, there in known.items():
                held[member] += _joined(member, row, names[member], there, where)
            if isinstance(row, models.RegisteredModel) and row.champion_id:
                # Versions are imported after their models.
                champions.append((row.pk, row.champion_id))
                row.champion_id = None
            rows.append((where, row))
        _insert(noun, rows)
        for member, joined in held.items():
            HELD[member][0]._default_manager.bulk_create(joined)
        count += len(batch)
    return count


def _row(noun: Noun, document: dict[str, Any], where: str) -> Model:
    columns = {column.name: column for column in noun.columns}
    if noun.added.isdisjoint(document):
        columns = {name: column for name, column in columns.items() if name not in noun.added}
    if document.keys() != columns.keys():
        odd = sorted(document.keys() ^ columns.keys())
        raise BrokenExport(f"{where}: its members differ from the format ({odd[0]}).")
    values = {
        column.attname: _value(column, document[name], where) for name, column in columns.items()
    }
    pk = values["id"]
    if not isinstance(pk, int) or not 0 < pk <= ID_MAX:
        raise BrokenExport(f"{where}: its id is invalid.")
    if noun.model is models.User:
        # No one knows a password here: people sign in by a sign-in link.
        values["password"] = make_password(None)
    return noun.model(**values)


def _value(column: Field[Any, Any], value: Any, where: str) -> Any:
    """Return a member's value, which must be written again exactly as it was read."""
    if value is None:
        return None
    try:
        found = column.to_python(value)
        again = written(column, found)
        column.run_validators(found)
        # True equals 1, but is a different value.
        fits = again == value and isinstance(again, bool) == isinstance(value, bool)
    except (ValidationError, ValueError, TypeError, OverflowError):
        fits = False
    if not fits or (isinstance(value, str) and "\0" in value):
        raise BrokenExport(f"{where}: invalid value of {column.name}: {str(value)[:64]!r}.")
    return found


def _joined(
    member: str, row: Model, names: object, known: Mapping[str, int], where: str
) -> list[Model]:
    """Return the rows that connect an account with what these names mean (groups, permissions)."""
    if not isinstance(names, list):
        raise BrokenExport(f"{where}: {member} is not a list of names.")
    through, column, _ = HELD[member]
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise BrokenExport(f"{where}: unknown name in {member}: {str(name)[:64]!r}.")
    return [through(user_id=row.pk, **{column: known[name]}) for name in sorted(set(names))]


def _insert(noun: Noun, rows: Sequence[tuple[str, Model]]) -> None:
    """Insert rows together; if the database refuses, one at a time, to find the line to report."""
    try:
        with transaction.atomic():
            noun.model._default_manager.bulk_create(row for _, row in rows)
    except (OperationalError, InterfaceError):
        # The database itself has a problem; no line is the cause.
        raise
    except (DatabaseError, ValueError, TypeError, OverflowError) as error:
        if len(rows) > 1:
            for place in rows:
                _insert(noun, [place])
        raise BrokenExport(
            f"{rows[0][0]}: the database refused the row ({_first_line(error)})."
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _check_references() -> None:
    """Check that every reference exists, before the commit would."""
    try:
        connection.check_constraints()
    except DatabaseError as error:
        raise BrokenExport(
            f"A row refers to a row that does not exist ({_first_line(error)})."
        ) from None


def _verify() -> None:
    report = verify_chains()
    problems = [*map(str, report.broken), *report.rows]
    if problems:
        more = f" There are {len(problems) - 1:,} more." if len(problems) > 1 else ""
        raise BrokenExport(
            f"The imported audit log is not valid. {problems[0]}{more}{_about_accounts()}"
        )


def _about_accounts() -> str:
    """Return a sentence about the accounts that the log does not support, "" if there are none."""
    names = unsupported_accounts().names
    if not names:
        return ""
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return (
        f" The log does not support the permissions of {', '.join(names[:NAMES_SHOWN])}{more}. If "
        "they are right, import with --adopt-accounts, which records them in the log."
    )


def _continue_ids() -> None:
    """Let the ids of new rows continue after the imported ones."""
    tables = [noun.model for noun in NOUNS]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
