"""Parse MLflow's filter strings and orders into clauses and sort keys.

The grammar is that of `search_registered_models` and `search_model_versions` in MLflow 3
(https://mlflow.org/docs/latest/ml/search/): comparisons joined by AND, without OR and without
parentheses. The names of attributes are case-sensitive; comparators and AND are not. Strings are in
single or double quotes, without escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from boards.mlflow_protocol.errors import ProtocolError, invalid
from boards.queries.paging.keyset import Kind, Order, SortKey
from boards.queries.search.mlflow_search import Clause
from obeya import names
from obeya.errors import InvalidInput
from obeya.values import NUMBER_MAX

FILTER_MAX = 100_000
CLAUSES_MAX = 100
PATTERN_MAX = 1_000
LISTED_MAX = 10_000

_TEXT_COMPARATORS = ("=", "!=", "LIKE", "ILIKE")
_LISTED_COMPARATORS = ("IN", "NOT IN")
_NUMBER_COMPARATORS = ("=", "!=", "<", "<=", ">", ">=")
_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Searchable:
    """What can be searched and sorted by: MLflow's names of attributes, each with its column.

    `listed` are the attributes that IN and NOT IN can compare, `numbers` those with whole numbers.
    """

    attributes: Mapping[str, str]
    sort_keys: Mapping[str, SortKey]
    listed: frozenset[str]
    numbers: frozenset[str]
    default_order: tuple[SortKey, ...]
    tie_breakers: tuple[SortKey, ...]


MODELS = Searchable(
    attributes={"name": "name"},
    sort_keys={
        "name": SortKey("name", Kind.NAME),
        "timestamp": SortKey("updated_at", Kind.MOMENT),
        "last_updated_timestamp": SortKey("updated_at", Kind.MOMENT),
        "creation_timestamp": SortKey("created_at", Kind.MOMENT),
    },
    listed=frozenset({"name"}),
    numbers=frozenset(),
    default_order=(),
    tie_breakers=(SortKey("name", Kind.NAME),),
)
VERSIONS = Searchable(
    attributes={
        "name": "model__name",
        "version_number": "number",
        "run_id": "source_run",
        "source_path": "artifact_uri",
    },
    sort_keys={
        "name": SortKey("model__name", Kind.NAME),
        "version_number": SortKey("number", Kind.NUMBER),
        "creation_timestamp": SortKey("created_at", Kind.MOMENT),
        "last_updated_timestamp": SortKey("updated_at", Kind.MOMENT),
    },
    listed=frozenset({"name", "run_id"}),
    numbers=frozenset({"version_number"}),
    default_order=(SortKey("updated_at", Kind.MOMENT, ascending=False),),
    tie_breakers=(
        SortKey("model__name", Kind.NAME),
        SortKey("number", Kind.NUMBER, ascending=False),
    ),
)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'[^']*'|"[^"]*")
      | (?P<number>[+-]?\d+(?:\.\d+)?(?![\w.]))
      | (?P<comparator>!=|<=|>=|<>|=|<|>|~)
      | (?P<punctuation>[(),;])
      | (?P<word>[^\s=!<>()'"`,;~.]+(?:\.(?:`[^`]*`|"[^"]*"|'[^']*'|[^\s=!<>()'"`,;~]+))?)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def read_filter(text: str, searchable: Searchable) -> list[Clause]:
    """Return the clauses of a filter string; none for an empty one.

    Raises:
        ProtocolError: it is invalid; the message says where and what is expected.
    """
    if len(text) > FILTER_MAX:
        raise invalid(f"A filter string can have at most {FILTER_MAX:,} characters.")
    reader = _Reader(_tokens(text), searchable)
    clauses: list[Clause] = []
    while not reader.at_end:
        if clauses:
            reader.conjunction()
        clauses.append(reader.clause())
        if len(clauses) > CLAUSES_MAX:
            raise invalid(f"A filter string can have at most {CLAUSES_MAX} comparisons.")
    return clauses


def read_order(clauses: Sequence[str], searchable: Searchable) -> Order:
    """Return the order, completed so that no two rows are equal.

    Raises:
        ProtocolError: a clause is invalid, or two have the same attribute.
    """
    keys: list[SortKey] = []
    for text in clauses:
        key = _sort_key(text, searchable)
        if key.column in {known.column for known in keys}:
            raise invalid(f"`order_by` contains duplicate fields: {list(clauses)}"[:500])
        keys.append(key)
    keys = keys or list(searchable.default_order)
    known = {key.column for key in keys}
    keys += [key for key in searchable.tie_breakers if key.column not in known]
    name = ", ".join(f"{'' if key.ascending else '-'}{key.column}" for key in keys)
    return Order(name, tuple(keys))


def _sort_key(text: str, searchable: Searchable) -> SortKey:
    words = text.replace("`", " ").replace('"', " ").split()
    if not 1 <= len(words) <= 2:
        raise invalid(f"Invalid order_by clause '{text[:_SHOWN]}'. Could not be parsed.")
    key = words[0].removeprefix("attribute.").removeprefix("attributes.")
    if key not in searchable.sort_keys:
        raise invalid(
            f"Invalid order by key '{key[:_SHOWN]}' specified. "
            f"Valid keys are {_listing(searchable.sort_keys)}."
        )
    direction = words[1].upper() if len(words) == 2 else "ASC"
    if direction not in ("ASC", "DESC"):
        raise invalid(f"Invalid ordering key in order_by clause '{text[:_SHOWN]}'.")
    return replace(searchable.sort_keys[key], ascending=direction == "ASC")


def _tokens(text: str) -> list[_Token]:
    found, place, text = [], 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise invalid(f"Invalid clause(s) in filter string: {text[place:].strip()[:_SHOWN]}")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup)))
        place = match.end()
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token], searchable: Searchable) -> None:
        self._tokens = tokens
        self._place = 0
        self._searchable = searchable

    @property
    def at_end(self) -> bool:
        return self._place >= len(self._tokens)

    def conjunction(self) -> None:
        """Read an AND."""
        token = self._next("AND")
        if token.kind != "word" or token.text.upper() != "AND":
            raise invalid(
                f"Invalid clause(s) in filter string: '{token.text[:_SHOWN]}'. "
                "Comparisons are joined by AND."
            )

    def clause(self) -> Clause:
        """Read one comparison."""
        token = self._next("the name of an attribute or a tag")
        if token.kind != "word":
            raise invalid(
                "Invalid comparison clause. Expected the name of an attribute or a tag, found "
                f"'{token.text[:_SHOWN]}'"
            )
        entity, dot, key = token.text.partition(".")
        if not dot:
            return self._of_attribute(entity)
        if entity == "attribute":
            return self._of_attribute(key)
        if entity in ("tag", "tags"):
            return self._of_tag(_unquoted(key))
        raise invalid(
            f"Invalid entity type '{entity[:_SHOWN]}'. "
            "Valid entity types are ('attribute', 'tag', 'tags')"
        )

    def _of_tag(self, key: str) -> Clause:
        comparator = self._comparator(_TEXT_COMPARATORS, "tag")
        return Clause(
            comparator=comparator,
            value=self._text(comparator, f"the tag '{key}'"),
            tag=_stored(key),
        )

    def _of_attribute(self, key: str) -> Clause:
        column = self._searchable.attributes.get(key)
        if column is None:
            raise invalid(
                f"Invalid attribute key '{key[:_SHOWN]}' specified. "
                f"Valid keys are {_listing(self._searchable.attributes)}."
            )
        if key in self._searchable.numbers:
            comparator = self._comparator(_NUMBER_COMPARATORS, f"attribute '{key}'")
            return Clause(comparator=comparator, value=self._whole(key), column=column)
        listed = _LISTED_COMPARATORS if key in self._searchable.listed else ()
        comparator = self._comparator((*_TEXT_COMPARATORS, *listed), f"attribute '{key}'")
        if comparator in _LISTED_COMPARATORS:
            return Clause(comparator=comparator, value=self._listed(), column=column)
        return Clause(
            comparator=comparator,
            value=self._text(comparator, f"the attribute '{key}'"),
            column=column,
        )

    def _comparator(self, allowed: Sequence[str], what: str) -> str:
        token = self._next("a comparator")
        comparator = token.text.upper()
        if (
            comparator == "NOT"
            and not self.at_end
            and self._tokens[self._place].text.upper() == "IN"
        ):
            self._place += 1
            comparator = "NOT IN"
        if token.kind not in ("comparator", "word") or comparator not in allowed:
            raise invalid(
                f"Invalid comparator for {what}: {token.text[:_SHOWN]}. "
                f"Use one of {', '.join(allowed)}."
            )
        return comparator

    def _text(self, comparator: str, what: str) -> str:
        token = self._next("a quoted text")
        if token.kind != "text":
            raise invalid(
                f"Expected a quoted string value for {what} (e.g. 'my-value'). "
                f"Got value {token.text[:_SHOWN]}"
            )
        text = token.text[1:-1]
        if comparator in ("LIKE", "ILIKE") and len(text) > PATTERN_MAX:
            raise invalid(f"A pattern can have at most {PATTERN_MAX:,} characters.")
        return _stored(text)

    def _whole(self, key: str) -> int:
        token = self._next("a whole number")
        digits = token.text.strip("'\"") if token.kind == "text" else token.text
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", digits):
            raise invalid(
                f"Expected a whole number for the attribute '{key}'. "
                f"Got value {token.text[:_SHOWN]}"
            )
        # Every number above the maximum compares the same.
        return max(-1, min(int(digits), NUMBER_MAX + 1))

    def _listed(self) -> tuple[str, ...]:
        if self._next("a list of quoted texts").text != "(":
            raise self._ill_formed()
        listed: list[str] = []
        while True:
            token = self._next("a quoted text")
            if token.kind != "text":
                raise self._ill_formed()
            listed.append(_stored(token.text[1:-1]))
            separator = self._next(") or ,").text
            if separator == "," and not self.at_end and self._tokens[self._place].text == ")":
                separator = self._next(")").text
            if separator == ")":
                break
            if separator != ",":
                raise self._ill_formed()
        if len(listed) > LISTED_MAX:
            raise invalid(f"A list can have at most {LISTED_MAX:,} values.")
        return tuple(listed)

    def _ill_formed(self) -> ProtocolError:
        return invalid(
            "While parsing a list in the query, expected a non-empty list of string values, "
            "but got ill-formed list."
        )

    def _next(self, expected: str) -> _Token:
        if self.at_end:
            raise invalid(
                f"Invalid comparison clause. The filter ends where {expected} is expected."
            )
        self._place += 1
        return self._tokens[self._place - 1]


def _unquoted(key: str) -> str:
    return key[1:-1] if key[:1] in "`\"'" and key[-1:] == key[:1] and len(key) > 1 else key


def _stored(text: str) -> str:
    """Return a text in its stored form, so that equal texts compare equal."""
    try:
        return names.tag_value(text)
    except InvalidInput as error:
        raise invalid(str(error)) from None


def _listing(keys: Iterable[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys)
