"""The write that brings an empty installation to the state of a whole export.

Nothing of it is an event: the log comes along, and is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from boards import models
from boards.queries.verification import verify_chains
from boards.queries.whole_export import NOUNS, Noun
from obeya.whole_export import BrokenExport

CHUNK = 1_000
Lines = Callable[[str], Iterator[tuple[int, dict[str, Any]]]]
ID_MAX = 2**63 - 1


class NotEmpty(Exception):
    """There is something in the installation already."""


def require_empty() -> None:
    """See that nothing is there yet.

    Raises:
        NotEmpty: there is; the sentence says what.
    """
    for noun in NOUNS:
        if noun.model._default_manager.exists():
            raise NotEmpty(
                f"The installation is not empty: it has {noun.model._meta.verbose_name_plural}. "
                "Import into a data directory and database that no server was started on."
            )


def import_rows(*, lines: Lines, dry_run: bool = False) -> Mapping[str, int]:
    """Bring everything in, with the ids that it had, and verify it; how many rows of each file.

    `lines` gives the numbered documents of a file by its name. Everything comes or nothing does;
    with `dry_run` nothing does.

    Raises:
        NotEmpty: there is something already.
        BrokenExport: a line cannot be what it should, a chain does not hold, or what stands
            beside the log says otherwise than it.
    """
    counts = {}
    with transaction.atomic():
        require_empty()
        champions: list[tuple[int, int]] = []
        for noun in NOUNS:
            counts[noun.file] = _import(noun, lines(noun.file), champions)
        for pk, champion in champions:
            models.RegisteredModel.objects.filter(pk=pk).update(champion=champion)
        _check_references()
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
    count = 0
    rows: list[Model] = []
    groups: list[tuple[int, list[str]]] = []
    for number, document in lines:
        where = f"{noun.file}, line {number}"
        if noun.model is models.User:
            groups.append((document.get("id", 0), document.pop("groups", [])))
        row = _row(noun, document, where)
        if isinstance(row, models.RegisteredModel) and row.champion_id:
            # Versions come after the models that they are of.
            champions.append((row.pk, row.champion_id))
            row.champion_id = None
        rows.append(row)
        count += 1
        if len(rows) == CHUNK:
            _insert(noun, rows, where)
            rows = []
    if rows:
        _insert(noun, rows, f"{noun.file}, up to line {count}")
    if groups:
        _join_groups(groups)
    return count


def _row(noun: Noun, document: dict[str, Any], where: str) -> Model:
    columns = {column.name: column for column in noun.columns}
    if document.keys() != columns.keys():
        odd = sorted(document.keys() ^ columns.keys())
        raise BrokenExport(f"{where}: its members are others than those of the format ({odd[0]}).")
    values = {}
    for name, column in columns.items():
        value = document[name]
        try:
            values[column.attname] = value if value is None else column.to_python(value)
        except (ValidationError, ValueError, TypeError):
            raise BrokenExport(f"{where}: {name} cannot be {str(value)[:64]!r}.") from None
    pk = values["id"]
    if not isinstance(pk, int) or not 0 < pk <= ID_MAX:
        raise BrokenExport(f"{where}: its id is none.")
    if noun.model is models.User:
        # Nobody knows a password here: people come in by a link.
        values["password"] = make_password(None)
    return noun.model(**values)


def _insert(noun: Noun, rows: list[Model], where: str) -> None:
    try:
        with transaction.atomic():
            noun.model._default_manager.bulk_create(rows)
    except (DatabaseError, ValueError, TypeError, OverflowError) as error:
        raise BrokenExport(
            f"{where}: the database does not take it ({str(error).splitlines()[0][:200]})."
        ) from None


def _join_groups(members: list[tuple[int, list[str]]]) -> None:
    known = dict(Group.objects.values_list("name", "pk"))
    through = models.User.groups.through
    wanted = [(user, name) for user, names in members for name in names]
    for _, name in wanted:
        if name not in known:
            raise BrokenExport(f"accounts.jsonl: there is no group “{str(name)[:64]}”.")
    through.objects.bulk_create(
        through(user_id=user, group_id=known[name]) for user, name in wanted
    )


def _check_references() -> None:
    """See that every reference leads somewhere, before the commit would."""
    try:
        connection.check_constraints()
    except DatabaseError as error:
        raise BrokenExport(
            f"A row refers to one that is not there ({str(error).splitlines()[0][:200]})."
        ) from None


def _verify() -> None:
    report = verify_chains()
    problems = [*map(str, report.broken), *report.rows]
    if problems:
        more = f" There are {len(problems) - 1:,} more." if len(problems) > 1 else ""
        raise BrokenExport(f"The log that came does not hold. {problems[0]}{more}")


def _continue_ids() -> None:
    """Let the next rows get ids after those that came."""
    tables = [noun.model for noun in NOUNS]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
