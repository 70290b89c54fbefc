"""Style sheets: a page links few, and each family of classes is styled in one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
SHEETS = ROOT / "static" / "css"
LINK = re.compile(r'{% static "css/(\w+\.css)" %}')
EXTENDS = re.compile(r'{% extends "([^"]+)" %}')
RULE = re.compile(r"([^{}]+){")
CLASS = re.compile(r"\.([a-z][\w-]*)")
# Classes of a state, such as `is-full`, style the component that has the state.
STATE = re.compile(r"(is|only)-")
MOST_SHEETS = 3
# Templates of the admin extend Django's.
NAMES = [
    path.relative_to(TEMPLATES).as_posix()
    for path in TEMPLATES.rglob("*.html")
    if path.parent.name != "admin"
]


def links(template: str) -> list[str]:
    """Return the style sheets that a template links, those of its parent templates first."""
    text = (TEMPLATES / template).read_text()
    parent = EXTENDS.search(text)
    return [*(links(parent[1]) if parent else ()), *LINK.findall(text)]


def without_comments(path: Path) -> str:
    """Return the text of a style sheet without comments, which can contain anything."""
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def families(sheet: Path) -> Iterator[str]:
    """Yield the families of classes that the rules of a style sheet style.

    The family of `.card-title` is `card`. A rule styles the last compound of its selector, but a
    child (`.filters > .field`) is only placed by its parent. Print rules are ignored: a page on
    paper can lay out components differently.
    """
    text = re.sub(r"@media print {(?:[^{}]*{[^{}]*})*[^{}]*}", "", without_comments(sheet))
    for selectors in RULE.findall(text):
        if "@" not in selectors:
            # The arguments of `:has` and `:not` are not styled.
            bare = re.sub(r":(has|not)\((?:[^()]|\([^()]*\))*\)", "", selectors)
            # Commas within brackets do not end a selector.
            for selector in re.split(r",(?![^(]*\))", bare):
                yield from styled(selector)


def styled(selector: str) -> set[str]:
    """Return the families that a selector styles; none if it has no class."""
    parts = re.findall(r"[>+~]|(?:\([^()]*\)|\[[^]]*\]|[^\s>+~([])+", selector)
    while parts:
        compound = parts.pop()
        found = {name.split("-")[0] for name in CLASS.findall(compound) if not STATE.match(name)}
        is_placed_by_its_parent = parts[-1:] == [">"]
        if found and not is_placed_by_its_parent:
            return found
    return set()


@pytest.mark.parametrize(
    ("selector", "family"),
    [
        (".card-title a:hover", "card"),
        (".sheet .card.is-lifted::before", "card"),
        (".filters > .field", "filters"),
        (".filters > .field .input", "input"),
        (".pair > * > .input", "pair"),
        (".limit.is-full b", "limit"),
        (".compare :is(th[scope='row'], .corner)", "corner"),
        (".rail-form > :is(.small, :has(.field-error))", "rail"),
        ("main:not(.page:has(.card)) .picks", "picks"),
    ],
)
def test_what_a_selector_styles(tmp_path: Path, selector: str, family: str) -> None:
    (tmp_path / "one.css").write_text(f"@layer page {{ {selector} {{ color: red }} }}")
    assert list(families(tmp_path / "one.css")) == [family]


def test_a_page_links_at_most_three_style_sheets() -> None:
    counts = {name: len(links(name)) for name in NAMES}
    assert counts["board.html"] == MOST_SHEETS
    assert {name: count for name, count in counts.items() if count > MOST_SHEETS} == {}


def test_every_style_sheet_exists_and_is_linked() -> None:
    linked = {
        sheet for path in TEMPLATES.rglob("*.html") for sheet in LINK.findall(path.read_text())
    }
    assert linked == {path.name for path in SHEETS.glob("*.css")}


def test_a_family_of_classes_is_styled_in_one_style_sheet() -> None:
    sheets = defaultdict(set)
    for path in SHEETS.glob("*.css"):
        for family in families(path):
            sheets[family].add(path.name)
    assert len(sheets) > 100
    assert {family: found for family, found in sheets.items() if len(found) > 1} == {}


def test_every_styled_class_is_used() -> None:
    files = [
        *TEMPLATES.rglob("*.html"),
        *(ROOT / "static" / "js").glob("*.js"),
        *(ROOT / "boards").rglob("*.py"),
    ]
    words = {word for path in files for word in re.findall(r"[\w-]+", path.read_text())}
    # `lamp-{{ lamp }}` can be any class of its family.
    built = {word for word in words if word.endswith("-")}
    styled_classes = {
        name for path in SHEETS.glob("*.css") for name in CLASS.findall(without_comments(path))
    }
    assert styled_classes
    assert {
        name
        for name in styled_classes - words
        if not any(name.startswith(beginning) for beginning in built)
    } == set()
