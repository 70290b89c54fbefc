"""The forms of guardrails, live values, WIP limits and a metric's definition."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

from django import forms

from boards.queries.paging.whole_number import whole_number
from boards.queries.policies.guardrails import GuardrailsPanel
from boards.queries.policies.limits import StageLimits
from boards.registry.catalog.metrics import TITLE_MAX, UNIT_MAX
from boards.views.forms import PageForm, ParsedField, choice_of, select, text_area, text_input
from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import Direction, MetricDefinition, Scale
from obeya.policy.bounds import Comparison
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import WIP_LIMIT_MAX, LimitMode, WipLimit

# Longer than any number that a person writes.
NUMBER_LENGTH_MAX = 40


def _live_metric() -> ParsedField:
    widget = text_input(
        "mono",
        maxlength=names.METRIC_NAME_MAX,
        placeholder="error_rate",
        list="rail-metrics",
        required=True,
        autocomplete="off",
        spellcheck="false",
    )
    return ParsedField("Live metric", widget=widget)


def _number_field(label: str, *, noun: str, placeholder: str) -> ParsedField:
    widget = text_input(
        inputmode="decimal", placeholder=placeholder, required=True, maxlength=NUMBER_LENGTH_MAX
    )
    return ParsedField(label, widget=widget, parse=partial(_number, noun=noun))


def _number(text: str, *, noun: str) -> float:
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        found = f", not “{text[:32]}”" if text else "; it is missing"
        raise InvalidInput(f"{noun} must be a number such as 0.02{found}.") from None


class GuardrailForm(PageForm):
    """A guardrail of a model."""

    ids = "rail-%s"

    metric = _live_metric()
    comparison = ParsedField(
        "Must be",
        widget=select([(each.value, each.symbol) for each in Comparison]),
        parse=Comparison.parse,
    )
    bound = _number_field("Limit", noun="The limit", placeholder="0.02")
    auto_rollback = forms.BooleanField(required=False, label="Roll back automatically on a breach")

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"comparison": Comparison.LTE.value})

    @property
    def guardrail(self) -> Guardrail:
        """The guardrail to set. Raises `InvalidInput`."""
        return Guardrail(**self.cleaned_data)


def _version(text: str) -> int | None:
    number = whole_number(text)
    if text and number is None:
        raise InvalidInput("Choose a version from the list.")
    return number


class LiveValueForm(PageForm):
    """A live value of a version in Production."""

    ids = "live-%s"

    metric = _live_metric()
    value = _number_field("Value", noun="The value", placeholder="0.013")
    version = ParsedField("Version", widget=select(), parse=_version)

    def offer_versions(self, panel: GuardrailsPanel) -> None:
        """Offer the versions in Production, the champion first chosen."""
        self.initial["version"] = panel.champion
        self.fields["version"].widget = select(
            (str(number), f"v{number}{', champion' if number == panel.champion else ''}")
            for number in panel.production
        )


class LimitForm(PageForm):
    """The WIP limit of one stage."""

    limit = ParsedField(
        "Maximum versions",
        widget=forms.NumberInput(
            {
                "class": "input",
                "min": 1,
                "max": WIP_LIMIT_MAX,
                "required": True,
                "placeholder": "no limit",
            }
        ),
        # A text that is not a number is refused like 0, which is too low.
        parse=lambda text: whole_number(text.strip()) or 0,
    )
    mode = ParsedField(
        "When full",
        widget=select(
            [(LimitMode.BLOCK.value, "refuse moves"), (LimitMode.WARN.value, "warn only")]
        ),
        parse=choice_of(LimitMode, "Choose what happens when the stage is full."),
    )

    def __init__(
        self,
        stage: Stage,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial, ids=f"limit-{stage.value}-%s")
        self.stage = stage

    @classmethod
    def of(cls, row: StageLimits) -> Self:
        """Return the form that shows the limit of a stage."""
        if row.own is None:
            return cls(row.stage)
        limit = row.own.limit
        return cls(row.stage, initial={"limit": limit.limit, "mode": limit.mode.value})

    @property
    def wip_limit(self) -> WipLimit:
        """The limit to set. Raises `InvalidInput`."""
        return WipLimit(self.stage, **self.cleaned_data)


class DefinitionForm(PageForm):
    """The definition of a metric."""

    direction = ParsedField(
        "Better direction",
        widget=forms.RadioSelect(
            choices=[
                (Direction.HIGHER.value, "Higher is better"),
                (Direction.LOWER.value, "Lower is better"),
                (Direction.UNKNOWN.value, "Neither or unknown"),
            ]
        ),
        parse=choice_of(Direction, "Choose the better direction."),
    )
    title = ParsedField(
        "Title (optional)",
        widget=text_input(autocomplete="off"),
        parse=str.strip,
        help_text=f"A short name for cards and tables, at most {TITLE_MAX} characters. "
        "Leave empty to use the metric’s name.",
    )
    unit = ParsedField(
        "Unit (optional)",
        widget=text_input("unit-input", autocomplete="off"),
        parse=str.strip,
        help_text=f"Shown after the value, for example ms, % or MB. At most {UNIT_MAX} characters.",
    )
    scale = ParsedField(
        "Scale",
        widget=select(
            [
                (Scale.FRACTION.value, "Fraction (0 to 1)"),
                (Scale.PERCENT.value, "Percentage (0 to 100)"),
                (Scale.NONE.value, "Neither"),
            ]
        ),
        parse=choice_of(Scale, "Choose a scale."),
        help_text="If no standard error was logged for a fraction or percentage, it is estimated "
        "from the number of samples.",
    )
    description = ParsedField(
        "Description (optional)",
        widget=text_area(rows=3),
        parse=lambda text: text.replace("\r\n", "\n").strip(),
    )

    @classmethod
    def of(cls, definition: MetricDefinition) -> Self:
        """Return the form that shows `definition`."""
        return cls(initial={name: getattr(definition, name) for name in cls.base_fields})

    def definition(self, name: str) -> MetricDefinition:
        """Return the definition that the form contains."""
        return MetricDefinition(name=name, **self.cleaned_data)
