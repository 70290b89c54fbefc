"""Texts that a reader sees, and first lines of docstrings, are in plain technical English.

The list has the patterns that are wrong wherever they appear. It cannot find every odd sentence;
it keeps those that were removed from coming back.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    *("obeya", "boards", "registry_site", "scripts", "examples", "bench", "templates", "static"),
    *("docs", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
)
SUFFIXES = {".py", ".html", ".txt", ".js", ".md"}
LEFT_OUT = {"migrations", "vendor", "__pycache__"}

# Each pattern with what to write instead. `(?i)` marks those for which case does not matter.
PLAIN = {
    r"(?i)\bwho(?:ever)? may\b": "users with the … permission",
    r"(?i)\bthose (?:that|who) may\b": "those that can",
    r"(?i)\b(?:some|any|no)body\b": "someone, anyone, no one",
    r"(?<!there )(?<!There )\b(?:is|are) none\b": "is not a …",
    r"(?<!there )(?<!There )\bis no (?!longer|more|such)\w+": "is not a …, contains no …",
    r"(?i)\b(?:of|has) (?:its|their|his) own(?=[.,;:)]|$)": "model-specific, override",
    r"(?i)\bthe site's\b|\bthis site\b": "the default, the registry's",
    r"(?i)\bmay stay empty\b": "(optional)",
    r"(?i)\bmay not\b": "needs the … permission, cannot",
    r"(?i)\banew\b": "again",
    r"(?i)\bas (?:it|they) stands?\b": "current",
    r"(?i)\bstands? twice\b": "duplicate",
    r"(?i)\bheld against\b": "compared with",
    r"(?i)\bwhat (?:it|they) would do\b": "impact",
    r"(?i)\bpolic(?:y|ies) asks?\b|\basks? for no\b": "requires",
    r"(?i)\bat once\b": "immediately, at a time",
    r"(?i)\bby (?:itself|themselves)\b": "automatically",
    r"(?i)\bfor a while\b": "temporarily",
    r"(?i)\b(?:is|are) over\b(?! (?:the|a|\d|…))": "expired",
    r"(?i)\b(?:is|are) gone\b": "no longer exists",
    r"(?i)\btaken (?:out|away)\b": "removed",
    r"(?i)\bma(?:de|kes?|king) (?:an?|the) (?:\w+ )?(?:token|link|endpoint|waiver)\b": "create",
    r"(?i)\bnone ticked\b|\bthe ticked\b": "none selected, the selected",
    r"(?i)\bsurely\b": "reliably",
    r"(?i)\btold of\b|\btells? of\b": "notified about, lists",
    r"(?i)\bverdicts?\b": "policy result",
    r"(?i)\bg(?:a|i)ves? back\b": "return",
    r"(?i)\bhands? out\b": "issue, return",
    r"(?i)\bin peace\b": "without losing …",
    r"(?i)\bway in\b": "channel",
    r"(?i)\bwas faster\b": "changed by someone else",
    r"(?i)\blets? \w+ in\b": "accepts, signs in",
    r"^What \w+ (?:is|are|has|have|does|do)\b": "a noun phrase",
    r"^See `": "a sentence that says what it is",
    r"(?:^|[.!?] )(?:Of|Whose|Whom) ": "the subject first",
}

# Texts that keep such words: (end of the file's path, part of the text) and the reason.
EXCEPTIONS = {
    ("boards/queries/checks/check_page.py", "… verdict …"): "a member of the hashed check document",
    ("boards/queries/facts/check_digest.py", "… verdict …"): "the same",
}


def docstring_nodes(tree: ast.Module) -> Iterator[tuple[int, ast.Constant]]:
    """Docstrings of the module, its classes and functions, and the strings below fields."""
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value


def texts_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """First lines of docstrings, and every other string; a placeholder of an f-string is `…`."""
    inner: set[int] = set()
    for line, docstring in docstring_nodes(tree):
        inner.add(id(docstring))
        yield line, docstring.value.strip().partition("\n")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = node.values
            inner |= {id(part) for part in parts}
            yield (
                node.lineno,
                "".join(part.value if isinstance(part, ast.Constant) else "…" for part in parts),
            )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


def texts_of_template(markup: str) -> Iterator[tuple[int, str]]:
    """The text between tags and in attributes that are read, without what Django's tags print."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]+", " … ", match[0])

    markup = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", blank, markup, flags=re.DOTALL)
    attributes = re.findall(
        r'(?:title|placeholder|aria-label|alt|value|content|data-\w+)="([^"]*)"', markup
    )
    text = re.sub(r"<[^>]*>", blank, markup, flags=re.DOTALL)
    yield from ((0, attribute) for attribute in attributes)
    yield 0, text


def texts_of_file(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file that someone reads, each with its line, 0 if it is not known."""
    text = path.read_text()
    match path.suffix:
        case ".py":
            yield from texts_of(ast.parse(text))
        case ".html" | ".txt":
            yield from texts_of_template(text)
        case ".js":
            for _, quoted in re.findall(r"([\"'`])((?:(?!\1).)*)\1", text):
                yield 0, quoted
        case ".md":
            for paragraph in prose(text):
                yield 0, paragraph


def all_texts() -> Iterator[tuple[str, str]]:
    """Every text that someone reads, with its place (`path:line`)."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*") if "." not in folder else [ROOT / folder]):
            if path.suffix in SUFFIXES and not LEFT_OUT & set(path.parts):
                for line, text in texts_of_file(path):
                    yield f"{path.relative_to(ROOT)}:{line}", re.sub(r"\s+", " ", text)


def prose(document: str) -> Iterator[str]:
    """The paragraphs of a document outside its code blocks and code spans."""
    document = re.sub(r"^```.*?^```$", "", document, flags=re.DOTALL | re.MULTILINE)
    yield from re.split(r"\n\n|\n(?=[-|#])", re.sub(r"`[^`\n]*`", "`…`", document))


def offences() -> Iterator[tuple[str, str]]:
    for place, text in all_texts():
        for pattern, instead in PLAIN.items():
            for match in re.finditer(pattern, text):
                around = text[max(0, match.start() - 40) : match.end() + 40]
                yield f"{place}: … {around} …", instead


def is_exception(offence: str) -> bool:
    return any(offence.startswith(path) and part in offence for path, part in EXCEPTIONS)


def test_texts_contain_none_of_the_unclear_phrases():
    found = [f"{text}  Write: {instead}." for text, instead in offences() if not is_exception(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_every_exception_still_occurs(exception):
    path, part = exception
    assert any(text.startswith(path) and part in text for text, _ in offences())


@pytest.mark.parametrize(
    "text",
    [
        "The tag “…” stands twice.",
        "Somebody was faster.",
        "The file is no JSON.",
        "You may not promote.",
        "The policy asks for no evidence.",
        "See `ModelRegistry.tag_version`.",
        "Of 12 versions 3 would pass.",
    ],
)
def test_an_unclear_phrase_is_recognised(text):
    assert any(re.search(pattern, text) for pattern in PLAIN)


@pytest.mark.parametrize(
    "text",
    ["There is no such version.", "None if there is none.", "The file is over the limit."],
)
def test_a_plain_sentence_is_not_taken_for_an_unclear_one(text):
    assert not any(re.search(pattern, text) for pattern in PLAIN)
