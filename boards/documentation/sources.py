"""Which files are pages of the documentation, and their URLs.

The sources are the repository's Markdown files and examples. A page is named by its URL after
`/docs/`; the name of the index is "".
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from django.conf import settings
from django.urls import reverse

INDEX = "docs/README.md"
_DEMO_DATA = "registry_site/demo/data/README.md"
_DOCS = "docs"
_EXAMPLES = "examples"
_OUTSIDE_DOCS = {
    "readme": "README.md",
    "security": "SECURITY.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
    "demo-data": _DEMO_DATA,
    _EXAMPLES: _EXAMPLES,
}
# Files of `docs` that are served unchanged.
_FILE_SUFFIXES = {".json", ".png"}
# Longer than any fence in an example.
_FENCE = "`" * 8


def _root() -> Path:
    return Path(settings.OBEYA_DOCUMENTS_DIR)


@cache
def sources() -> Mapping[str, str]:
    """Return the source of each page, a path from the root of the repository, by its name."""
    root = _root()
    found = {"": INDEX}
    for path in sorted((root / _DOCS).rglob("*.md")):
        source = path.relative_to(root).as_posix()
        if source != INDEX:
            found[path.relative_to(root / _DOCS).with_suffix("").as_posix()] = source
    found |= _OUTSIDE_DOCS
    for path in _examples():
        found[f"{_EXAMPLES}/{path.stem}"] = path.relative_to(root).as_posix()
    return found


@cache
def _names() -> Mapping[str, str]:
    return {source: name for name, source in sources().items()}


@cache
def files() -> Mapping[str, Path]:
    """Return the files that are served unchanged, by their names: paths from `docs`."""
    docs = _root() / _DOCS
    return {
        path.relative_to(docs).as_posix(): path
        for path in sorted(docs.rglob("*"))
        if path.suffix in _FILE_SUFFIXES
    }


def markdown_of(source: str) -> str:
    """Return a page as Markdown. Examples are Python: each is one block of code."""
    if source == _EXAMPLES:
        lines = (
            f"- [{item.name}]({_EXAMPLES}/{item.name}): {_summary(item)}" for item in _examples()
        )
        return "\n".join(["# Examples", "", *lines])
    path = _path(source)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return f"# {path.name}\n\n{_FENCE}python\n{text}{_FENCE}\n"
    return text


def _path(source: str) -> Path:
    # In a wheel, the page about the demo's data is not among the documents, but beside the data.
    if source == _DEMO_DATA:
        return Path(settings.OBEYA_DEMO_DATA_DIR, "README.md")
    return _root() / source


def _examples() -> list[Path]:
    return sorted((_root() / _EXAMPLES).glob("*.py"))


def _summary(path: Path) -> str:
    """Return the first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def page_url(name: str) -> str:
    """Return the URL of a page."""
    if not name:
        return reverse("boards:documentation")
    return reverse("boards:documentation_page", args=[name])


def url_of(link: str, *, source: str) -> str | None:
    """Return the URL that a relative link of `source` leads to, or None if it is not served."""
    path, hash_mark, anchor = link.partition("#")
    if not path:
        return link
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target in _names():
        return f"{page_url(_names()[target])}{hash_mark}{anchor}"
    file = target.removeprefix(f"{_DOCS}/")
    return reverse("boards:documentation_file", args=[file]) if file in files() else None
