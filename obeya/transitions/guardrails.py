"""Guardrails: limits for live metrics of the version in Production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from obeya import names
from obeya.metrics import finite
from obeya.policy.bounds import Comparison, full_number, number_text


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A comparison of a live metric with `bound`; a value that fails it is a breach.

    With `auto_rollback` a breach rolls the model back automatically.

    Raises:
        InvalidInput: the metric's name is not valid or the bound is not finite.
    """

    metric: str
    comparison: Comparison
    bound: float
    auto_rollback: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", names.metric_name(self.metric))
        object.__setattr__(self, "comparison", Comparison.parse(self.comparison))
        bound = finite(self.bound, what=f"The bound of “{self.metric}”")
        object.__setattr__(self, "bound", bound)

    def holds(self, value: float) -> bool:
        """Return whether a live value is within the bound."""
        return self.comparison.holds(value, self.bound)

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form in events."""
        return {
            "metric": self.metric,
            "comparison": self.comparison.value,
            "bound": self.bound,
            "auto_rollback": self.auto_rollback,
        }

    def describe(self) -> str:
        """Return ``error_rate ≤ 0.02``."""
        return f"{self.metric} {self.comparison.symbol} {number_text(self.bound)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReport:
    """The result of a reported live value.

    `guardrail` is the guardrail of the metric, None if it has none. `rolled_back_to` is the version
    that the guardrail restored to Production, None if it did not roll back.
    """

    model: str
    version: int
    metric: str
    value: float
    reported_at: datetime
    guardrail: Guardrail | None = None
    rolled_back_to: int | None = None

    @property
    def breached(self) -> bool:
        """Whether the value is beyond the guardrail."""
        return self.guardrail is not None and not self.guardrail.holds(self.value)

    @property
    def sentence(self) -> str:
        """The reported value, and for a breach the required one, as a sentence."""
        said = f"v{self.version}: live {self.metric} is {full_number(self.value)}"
        if self.guardrail is None or not self.breached:
            return f"{said}."
        required = f"{self.guardrail.comparison.symbol} {full_number(self.guardrail.bound)}"
        return f"{said}; required: {required}."
