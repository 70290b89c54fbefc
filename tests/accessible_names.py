"""Find elements that must not have an accessible name, but are given one."""

from __future__ import annotations

from html.parser import HTMLParser

# Their roles prohibit a name (ARIA 1.2, section 5.2.8.6; ARIA in HTML): screen readers ignore it.
# fmt: off
NAMELESS = frozenset({
    "abbr", "b", "bdi", "bdo", "caption", "cite", "code", "data", "del", "div", "em",
    "figcaption", "i", "ins", "kbd", "label", "legend", "mark", "p", "pre", "q", "s", "samp",
    "small", "span", "strong", "sub", "sup", "time", "u", "var",
})
NAMELESS_ROLES = frozenset({
    "caption", "code", "deletion", "emphasis", "generic", "insertion", "none", "paragraph",
    "presentation", "strong", "subscript", "superscript",
})
# fmt: on
NAMES = frozenset({"aria-label", "aria-labelledby"})


def wrongly_named(html: str) -> list[str]:
    """Return the start tags with an accessible name that their role prohibits."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        role = given.get("role")
        nameless = role in NAMELESS_ROLES if role else tag in NAMELESS
        if nameless and not NAMES.isdisjoint(given):
            self.found.append(self.get_starttag_text() or tag)
