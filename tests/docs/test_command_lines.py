"""Every `obeya` command line in the documentation is one that the command accepts."""

from __future__ import annotations

import re

import click
import pytest

from obeya.cli import main
from tests.docs.pages import FENCED, ROOT, pages, text_of
from tests.offenders import every_case

CONTEXT = click.Context(main)
# A command line in code: up to where the shell ends it, or a comment begins.
LINE = re.compile(r"(?<![\w/\"'@.])obeya ((?:[^\n`|;)>&#\\]|\\\n)+)")
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
OPTION = re.compile(r"(?<!\S)\[?(--?[a-z][\w-]*)")
PLACES = [
    *pages(),
    "action.yml",
    *(f"examples/{file.name}" for file in (ROOT / "examples").iterdir()),
]


def code_of(place: str) -> list[str]:
    """Return the blocks and the code in the text of a page; all of any other file."""
    text = text_of(place)
    if not place.endswith(".md"):
        return [text]
    return [text for _, text in FENCED.findall(text)] + SPAN.findall(FENCED.sub("", text))


def check(line: str) -> None:
    """Raise an error unless the line has a command's name and only options of it."""
    command: click.Command = main
    words = line.replace("\\\n", " ").split()
    while isinstance(command, click.Group) and words and words[0].islower():
        _, found, words = command.resolve_command(click.Context(command), words)
        assert found
        command = found
    known = {"--help", "--version"} if command is main else {"--help"}
    known.update(*(option.opts + option.secondary_opts for option in command.params))
    unknown = {*OPTION.findall(" ".join(words))} - known
    assert not unknown, f"no option {unknown}"


def test_every_command_line_is_accepted():
    lines = [
        (place, line) for place in PLACES for code in code_of(place) for line in LINE.findall(code)
    ]
    assert len(lines) > 50
    with every_case() as case:
        for place, line in lines:
            with case(f"{place}: obeya {line}"):
                check(line)


def leaves(group: click.Group, prefix: str = "") -> list[str]:
    found = []
    for name in group.list_commands(CONTEXT):
        command = group.get_command(CONTEXT, name)
        assert command
        inner = isinstance(command, click.Group)
        found += leaves(command, f"{prefix}{name} ") if inner else [prefix + name]
    return found


def first_cells() -> list[str]:
    """The command lines in the tables of docs/cli.md, without `obeya`."""
    rows = re.findall(r"^\| (`.+?) \| ", text_of("docs/cli.md"), re.MULTILINE)
    return [line for row in rows for line in SPAN.findall(row) if not line.startswith("-")]


def test_the_tables_list_every_command():
    listed = first_cells()
    with every_case() as case:
        for line in listed:
            with case(line):
                check(line)
        for command in leaves(main):
            with case(command):
                assert any(re.match(rf"{command}\b", line) for line in listed), "not in a table"


@pytest.mark.parametrize("file", [file.name for file in (ROOT / "examples").glob("*.py")])
def test_an_example_shows_how_it_is_called(file):
    assert re.search(rf"^ +python examples/{file}\b", text_of(f"examples/{file}"), re.MULTILINE)
