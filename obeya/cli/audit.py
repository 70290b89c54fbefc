"""`obeya audit`: verifies exports without a database; other commands come from the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from obeya.audit.chain import BrokenLink
from obeya.audit.export import ChainPart, ExportReport, UnreadableExport, verify_export
from obeya.audit.heads import SITE, ChainHead, read_heads
from obeya.cli.options import database_options
from obeya.cli.server import JoiningGroup, joined_commands, require_server
from obeya.errors import InvalidInput

# A head takes about 120 bytes: this limit is far above any realistic number of heads.
HEADS_MAX = 256 * 1024 * 1024
PARTS_SHOWN = 20


class Unreadable(click.ClickException):
    """A file that does not have the expected format."""

    exit_code = 2


class AuditGroup(JoiningGroup):
    """The commands that need no server, and those that the server package adds."""

    def joined(self) -> Mapping[str, Callable[[], object]]:
        """Return the commands of the server package for the audit log."""
        commands = joined_commands("audit")
        return {name: partial(commands.__getitem__, name) for name in commands}


@click.group(cls=AuditGroup)
def audit() -> None:
    """The audit log."""


@audit.command
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--against",
    metavar="HEADS",
    type=click.Path(exists=True, dir_okay=False),
    help="Heads stored earlier, as `obeya audit head` prints them.",
)
@click.option(
    "--gaps", is_flag=True, help="FILE was exported with a filter: events may be missing."
)
@database_options
@click.pass_context
def verify(
    ctx: click.Context, /, file: str | None, against: str | None, *, gaps: bool, **options: Any
) -> None:
    """Verify every chain of the audit log and list the first broken link of each.

    Reads the database, where it also compares every table that the log describes, or only FILE, an
    export as JSON Lines (- for standard input); with FILE it needs no database and no server.

    Exit status 0: everything matches; 1: a link is broken, or a row differs from the log; 2:
    nothing could be verified.
    """
    heads = _heads(against) if against else ()
    if file is None:
        if gaps:
            raise click.UsageError("--gaps needs a FILE: the database has every event.")
        require_server()
        ctx.invoke(joined_commands("audit")["verify"], heads=heads, **options)
        return
    if any(options.values()):
        raise click.UsageError("A FILE cannot be combined with --data-dir or --database-url.")
    try:
        with click.open_file(file, "rb") as lines:
            report = verify_export(cast("BinaryIO", lines), heads=heads, gaps=gaps)
    except UnreadableExport as error:
        raise Unreadable(f"{file} is not an export of the audit log. {error}") from error
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror or error}.") from error
    say_where_parts_begin(report)
    conclude(len(report.parts), report.events, report.broken, report.kept, compared=len(heads))


def _heads(path: str) -> tuple[ChainHead, ...]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(HEADS_MAX + 1)
        if len(content) > HEADS_MAX:
            raise Unreadable(f"{path} is larger than {HEADS_MAX >> 20} MiB, the limit for heads.")
        return read_heads(content.decode())
    except InvalidInput as error:
        raise Unreadable(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8.") from error
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}.") from error


def say_where_parts_begin(report: ExportReport) -> None:
    """Print which events the file does not contain, so they are not verified."""
    parts = [part for part in report.parts.values() if not part.is_whole]
    for part in parts[:PARTS_SHOWN]:
        click.echo(_printable(_what_is_left_out(part)))
    if len(parts) > PARTS_SHOWN:
        click.echo(f"{several(len(parts) - PARTS_SHOWN, 'more chain')} with missing events.")
    if report.erased_texts:
        click.echo(f"{several(report.erased_texts, 'text')} erased or missing from the file.")


def _what_is_left_out(part: ChainPart) -> str:
    title = f"Chain {part.chain} {SITE if part.name is None else f'({part.name})'}"
    said = []
    if part.first > 1:
        said.append(f"is verified from event {part.first} on; earlier events are not in the file")
    if part.missing:
        said.append(f"{several(part.missing, 'event')} missing between its first and last")
    return f"{title} {'; '.join(said)}."


def conclude(
    chains: int,
    events: int,
    broken: Iterable[BrokenLink],
    kept: Iterable[BrokenLink],
    *,
    rows: Sequence[str] | None = None,
    differences: int = 0,
    compared: int,
) -> None:
    """Print the result, and exit with status 1 if anything is broken.

    `broken` are links, `kept` are stored heads that do not match, `rows` are sentences about the
    first of the `differences` between the database and the log, None if only a file was read;
    `compared` is the number of stored heads.
    """
    broken, kept = tuple(broken), tuple(kept)
    for sentence in (*map(str, (*broken, *kept)), *(rows or ())):
        click.echo(_printable(sentence), err=True)
    counted = f"{several(chains, 'chain')}, {several(events, 'event')}"
    if broken or kept or rows:
        found = [f"{several(len(broken), 'chain')} broken"] if broken else []
        found += [f"{several(len(kept), 'stored head')} not confirmed"] if kept else []
        found += [f"{several(differences, 'difference')} between tables and log"] if rows else []
        click.echo(f"{counted}: {', '.join(found)}.", err=True)
        click.get_current_context().exit(1)
    heads = f", {several(compared, 'stored head')} confirmed" if compared else ""
    tables = "" if rows is None else ", all tables match"
    click.echo(f"{counted}: every link is valid{tables}{heads}.")


def several(number: int, thing: str) -> str:
    """Return a number with its noun: ``1 event``, ``3 events``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _printable(text: str) -> str:
    """Return the text of a file without control characters for the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
