"""The pages of the documentation, and the index that lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from django.utils.safestring import SafeString

from boards.documentation.markdown import parse, text_of, to_html
from boards.documentation.sources import INDEX, markdown_of, page_url, sources


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the second level."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page. `html` is what follows its title."""

    id: str
    title: str
    sections: tuple[Section, ...]
    html: SafeString


@dataclass(frozen=True, slots=True)
class Entry:
    """A page as the index lists it."""

    name: str
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the index, such as the reference."""

    title: str
    entries: tuple[Entry, ...]


def find_page(name: str) -> Page | None:
    """Return the page with that name, or None if there is no such page."""
    source = sources().get(name)
    return None if source is None else _render(source)


@cache
def _render(source: str) -> Page:
    tokens = parse(markdown_of(source), source=source)
    headings = [
        (opening, text_of(inline))
        for opening, inline in pairwise(tokens)
        if opening.type == "heading_open"
    ]
    (title_opening, title), *_ = headings
    after_title = tokens.index(title_opening) + 3
    return Page(
        id=str(title_opening.attrs["id"]),
        title=title,
        sections=tuple(
            Section(str(opening.attrs["id"]), text)
            for opening, text in headings
            if opening.tag == "h2"
        ),
        html=to_html(tokens[after_title:]),
    )


@cache
def parts() -> tuple[Part, ...]:
    """Return the parts of the index, with each page once.

    A page that the index links as a whole and by a section is listed as a whole.
    """
    links = list(_index_links())
    whole = {entry.name for _, entry in links if "#" not in entry.url}
    found: dict[str, list[Entry]] = {}
    for part, entry in links:
        if "#" not in entry.url or entry.name not in whole:
            found.setdefault(part, []).append(entry)
    return tuple(Part(title, tuple(entries)) for title, entries in found.items())


def _index_links() -> Iterator[tuple[str, Entry]]:
    """Yield each link of the index to a page, with the title of its part."""
    names = {page_url(name): name for name in sources()}
    part = ""
    for before, token in pairwise(parse(markdown_of(INDEX), source=INDEX)):
        if before.tag == "h2" and token.type == "inline":
            part = text_of(token)
        for link, text in pairwise(token.children or ()):
            url = str(link.attrs.get("href", ""))
            name = names.get(url.partition("#")[0])
            if link.type == "link_open" and name is not None:
                yield part, Entry(name, url, text.content)
