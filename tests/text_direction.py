"""Find text that changes the order of the text around it, and tags that are shown as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")
# Elements in which a browser shows tags as text or ignores them.
WITHOUT_TAGS = re.compile(
    r"""<(option|textarea|title)\b(?:"[^"]*"|'[^']*'|[^>"'])*>(.*?)</\1>""", re.DOTALL
)
# Elements that contain no other elements, and blocks of program text. Titles isolate by characters.
TEXT_ONLY = frozenset({"option", "pre", "script", "style", "textarea"})
ISOLATE = "\u2068"
WITHOUT_END = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "wbr"})


def with_tags(html: str) -> list[str]:
    """Return the contents of titles, options and text areas that contain a tag."""
    return [content for _, content in WITHOUT_TAGS.findall(html) if "<" in content]


def not_isolated(html: str) -> list[str]:
    """Return the texts with right-to-left letters that are not isolated."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in WITHOUT_END:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        is_isolated = (
            "bdi" in self._open
            or not TEXT_ONLY.isdisjoint(self._open)
            or ("title" in self._open and ISOLATE in data)
        )
        if RIGHT_TO_LEFT.search(data) and not is_isolated:
            self.found.append(f"<{self._open[-1] if self._open else ''}>: {data.strip()}")
