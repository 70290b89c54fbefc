"""The tokens of the filter language, their positions, and the errors about them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from obeya.errors import InvalidInput

FILTER_MAX = 4_096
# How much of the text an error shows on either side of the error position.
_AROUND = 40
_FOUND_MAX = 32

_TOKEN = re.compile(
    r"(?P<sign>>=|<=|!=|==|[≥≤≠=><])|(?P<open>\()|(?P<close>\))|(?P<comma>,)"
    r"""|(?P<word>[^\s"'`(),=<>!≥≤≠]+)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>`(?:[^`\\]|\\.)*`)""",
    re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"""[^\s"'`(),=<>!≥≤≠]+""")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", **dict.fromkeys("\\\"'`", "")}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class FilterError(InvalidInput):
    """A filter or an ordering that cannot be parsed.

    `position` is the index in `text`, counted from 0, of the error; `end` is the index after the
    offending text, equal to `position` if the text ends too early.
    """

    def __init__(
        self, sentence: str, *, text: str, position: int, end: int, field: str = "filter"
    ) -> None:
        super().__init__(sentence, field=field)
        self.text = text
        self.position = position
        self.end = end

    @property
    def excerpt(self) -> tuple[str, str, str]:
        """The text before, at and after the error; long parts are cut with “…”."""
        start, stop = max(0, self.position - _AROUND), min(len(self.text), self.end + _AROUND)
        at = self.text[self.position : self.end]
        return (
            ("…" if start else "") + self.text[start : self.position],
            at if len(at) <= _AROUND else at[:_AROUND] + "…",
            self.text[self.end : stop] + ("…" if stop < len(self.text) else ""),
        )


class Kind(Enum):
    """The kind of a token. A TEXT is in quotes, a NAME in backquotes."""

    WORD = auto()
    TEXT = auto()
    NAME = auto()
    SIGN = auto()
    OPEN = auto()
    CLOSE = auto()
    COMMA = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter from `position` to `end`; `value` is without quotes and escapes."""

    kind: Kind
    value: str
    position: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in lower case; empty if the token is not a word."""
        return self.value.lower() if self.kind is Kind.WORD else ""


class TokenReader:
    """Reads a text token by token; every error has `field` as its field.

    Raises:
        FilterError: the text is too long, or contains an invalid token.
    """

    def __init__(self, text: str, *, field: str = "filter") -> None:
        self._text = text
        self._field = field
        if len(text) > FILTER_MAX:
            raise FilterError(
                f"A filter can have at most {FILTER_MAX:,} characters; this one has {len(text):,}.",
                text=text,
                position=FILTER_MAX,
                end=len(text),
                field=field,
            )
        self._tokens = list(tokens(text, field=field))
        self._next = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    def take(self) -> Token:
        """Read a token. After the last token, END is returned every time."""
        token = self.token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def take_keyword(self, *keywords: str) -> bool:
        """Read the next token if it is one of the keywords; return whether it was."""
        if self.token.keyword not in keywords:
            return False
        self.take()
        return True

    def take_kind(self, kind: Kind) -> bool:
        """Read the next token if it has this kind; return whether it had."""
        if self.token.kind is not kind:
            return False
        self.take()
        return True

    def require(self, kind: Kind, what: str) -> None:
        """Read a token of this kind, or raise an error that says `what` was expected."""
        if not self.take_kind(kind):
            raise self.expected(what)

    def expected(self, what: str, token: Token | None = None) -> FilterError:
        """Return the error for a token, by default the next, where `what` was expected."""
        token = token or self.token
        return self.error(f"Found {self.found(token)} where {what} was expected.", token)

    def error(self, sentence: str, token: Token | None = None) -> FilterError:
        """Return an error at a token, by default the next."""
        token = token or self.token
        return FilterError(
            sentence,
            text=self._text,
            position=token.position,
            end=token.end,
            field=self._field,
        )

    def found(self, token: Token) -> str:
        """Return the token as quoted in an error."""
        if token.kind is Kind.END:
            return "the end"
        return _quoted_in_error(self._text[token.position : token.end])


def tokens(text: str, *, field: str = "filter") -> Iterator[Token]:
    """Yield the tokens of a text, END last.

    Raises:
        FilterError: the text contains an invalid token.
    """
    position = _skip_space(text, 0)
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise _no_token(text, position, field)
        unstorable = _UNSTORABLE.search(text, position, found.end())
        if unstorable:
            raise FilterError(
                "The filter contains a character that cannot be stored, and so matches nothing.",
                text=text,
                position=unstorable.start(),
                end=unstorable.end(),
                field=field,
            )
        kind, value = Kind[found.lastgroup.upper()], found[0]
        if kind in (Kind.TEXT, Kind.NAME):
            value = _unescaped(text, found.start() + 1, found.end() - 1, field)
        # Stored texts are in NFC, so the texts compared with them are too.
        yield Token(kind, unicodedata.normalize("NFC", value), found.start(), found.end())
        position = _skip_space(text, found.end())
    yield Token(Kind.END, "", len(text), len(text))


def quoted(text: str) -> str:
    """Return the text in quotes, as written in a filter, on one line."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    for outgoing_message, character in (("n", "\n"), ("r", "\r"), ("t", "\t")):
        escaped = escaped.replace(character, "\\" + outgoing_message)
    return f"{quote}{escaped}{quote}"


def name_text(name: str) -> str:
    """Return the name of a metric or tag as written in a filter, in quotes only if needed."""
    return name if _WORD.fullmatch(name) else quoted(name)


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _unescaped(text: str, start: int, end: int, field: str) -> str:
    def character(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPED:
            raise FilterError(
                f"Found {_quoted_in_error(found[0])} where one of \\\\, \\\", \\', \\`, \\n, \\r "
                "and \\t was expected; write a backslash as \\\\.",
                text=text,
                position=start + found.start(),
                end=start + found.end(),
                field=field,
            )
        return _ESCAPED[found[1]] or found[1]

    return _ESCAPE.sub(character, text[start:end])


def _no_token(text: str, position: int, field: str) -> FilterError:
    found = text[position]
    if found == "!":
        sentence, end = "Found “!” where != was expected.", position + 1
    else:
        quotes = {'"': "quote", "'": "quote", "`": "backquote"}[found]
        sentence = f"Found {_quoted_in_error(text[position:])} without the {quotes} that ends it."
        end = len(text)
    return FilterError(sentence, text=text, position=position, end=end, field=field)


def _quoted_in_error(text: str) -> str:
    return f"“{text[:_FOUND_MAX]}{'…' if len(text) > _FOUND_MAX else ''}”"
