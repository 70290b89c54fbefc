"""The pages of the documentation, and their code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, the title after it ("" if there is none) and its text."""

    page: str
    language: str
    title: str
    text: str

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]

    def __str__(self) -> str:
        return f"{self.page}: {self.first_line}"


def pages() -> list[str]:
    """Return the names of all pages: README.md, and the paths of the others from the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks_of(page: str) -> list[Block]:
    """Return the page's blocks in order."""
    blocks = []
    for info, text in FENCED.findall(text_of(page)):
        language, _, title = info.partition(" ")
        blocks.append(Block(page=page, language=language, title=title, text=text.rstrip("\n")))
    return blocks


def all_blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages in these languages."""
    return [block for page in pages() for block in blocks_of(page) if block.language in languages]


def block(path: str, language: str, title: str = "") -> str:
    """Return the text of the page's only block with this language and title."""
    [found] = [b for b in blocks_of(path) if (b.language, b.title) == (language, title)]
    return found.text


def shape(value: Any) -> Any:
    """Return which members there are, and of which types, all the way down."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)
