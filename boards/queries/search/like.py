"""The patterns of SQL's LIKE, with the same meaning on every database."""

from __future__ import annotations

import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Expression, F, Func, Value
from django.db.models.sql.compiler import SQLCompiler

_SqlAndParams = tuple[str, tuple[str | int, ...]]


class Like(Func):
    """Whether a text matches a pattern: ``%`` is any text, ``_`` any character, no escapes.

    Case matters unless `any_case`, which on SQLite applies to A to Z only.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str | Expression, pattern: str, *, any_case: bool = False) -> None:
        self._pattern = pattern
        self._any_case = any_case
        super().__init__(F(column) if isinstance(column, str) else column, Value(pattern))

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> _SqlAndParams:
        """LIKE or ILIKE, with the backslash as an ordinary character."""
        column, params = compiler.compile(self.source_expressions[0])
        operator = "ILIKE" if self._any_case else "LIKE"
        return f"({column}) {operator} %s ESCAPE ''", (*params, self._pattern)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> _SqlAndParams:
        """LIKE ignores case on SQLite; GLOB does not."""
        column, params = compiler.compile(self.source_expressions[0])
        if self._any_case:
            return f"({column}) LIKE %s", (*params, self._pattern)
        return f"({column}) GLOB %s", (*params, _glob(self._pattern))


def _glob(pattern: str) -> str:
    literal = re.sub(r"[*?\[]", lambda found: f"[{found.group()}]", pattern)
    return literal.replace("%", "*").replace("_", "?")
