"""Comparison of a value with a bound."""

from __future__ import annotations

import math
from enum import StrEnum

from obeya.errors import InvalidInput


class Comparison(StrEnum):
    """The operator that compares an observed value with a bound."""

    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="
    EQ = "="

    @property
    def symbol(self) -> str:
        """The sign for display: ``≥``."""
        return {Comparison.GTE: "≥", Comparison.LTE: "≤"}.get(self, self.value)

    @property
    def is_strict(self) -> bool:
        """Whether an equal value fails the comparison and one side is required: > and <."""
        return self in (Comparison.GT, Comparison.LT)

    def holds(self, value: float, bound: float) -> bool:
        """Return whether ``value <comparison> bound``. ``=`` compares within 1e-9 relative."""
        match self:
            case Comparison.GT:
                return value > bound
            case Comparison.GTE:
                return value >= bound
            case Comparison.LT:
                return value < bound
            case Comparison.LTE:
                return value <= bound
            case Comparison.EQ:
                return math.isclose(value, bound, rel_tol=1e-9, abs_tol=0.0)

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """Parse ``>=``, ``≥``, ``==`` and the other comparison signs.

        Raises:
            InvalidInput: the text is not a comparison.
        """
        signs = {"≥": ">=", "≤": "<=", "==": "="}
        sign = str(text).strip()
        try:
            return cls(signs.get(sign, sign))
        except ValueError:
            raise InvalidInput(
                f"“{sign[:16]}” is not a comparison; use one of >, ≥, <, ≤ and =.",
                field="comparison",
            ) from None


def number_text(value: float) -> str:
    """Return a number as policies and files write it: ``0.9``, ``100000``, ``1e-12``."""
    if value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)


def full_number(value: float) -> str:
    """Return a number for readers, with all digits, thousands separated: ``12,346.5``."""
    if value.is_integer() and abs(value) < 1e16:
        return f"{int(value):,}"
    return f"{value:,}"


def short_number(value: float) -> str:
    """Return a number with at most four significant digits, thousands separated: ``12,346``."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 1_000 else f"{value:.4g}"
