"""Holding a value against a bound."""

from __future__ import annotations

import math
from enum import StrEnum

from obeya.errors import InvalidInput


class Comparison(StrEnum):
    """How an observed value is held against a bound."""

    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="
    EQ = "="

    @property
    def symbol(self) -> str:
        """The sign as people read it: ``≥``."""
        return {Comparison.GTE: "≥", Comparison.LTE: "≤"}.get(self, self.value)

    @property
    def is_strict(self) -> bool:
        """Whether an equal value does not hold and one side is asked for: > and <."""
        return self in (Comparison.GT, Comparison.LT)

    def holds(self, value: float, bound: float) -> bool:
        """Whether ``value <comparison> bound``. ``=`` compares within 1e-9 relative."""
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
        """Read ``>=``, ``≥``, ``==`` and their siblings.

        Raises:
            InvalidInput: it is none of them.
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
    """A number with all its digits and no needless ones: ``0.9``, ``100``, ``1e-12``."""
    if value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)
