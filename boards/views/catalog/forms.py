"""The forms of a metric's definition."""

from __future__ import annotations

from typing import Self

from django import forms

from boards.registry.catalog.metrics import TITLE_MAX, UNIT_MAX
from boards.views.forms import PageForm, ParsedField, choice_of, select, text_area, text_input
from obeya.metrics import Direction, MetricDefinition, Scale


class DefinitionForm(PageForm):
    """What a metric's name means."""

    direction = ParsedField(
        "Which way is better",
        widget=forms.RadioSelect(
            choices=[
                (Direction.HIGHER.value, "Higher is better"),
                (Direction.LOWER.value, "Lower is better"),
                (Direction.UNKNOWN.value, "Neither, or not known"),
            ]
        ),
        parse=choice_of(Direction, "Choose which way the metric is better."),
    )
    title = ParsedField(
        "Title",
        widget=text_input(autocomplete="off"),
        parse=str.strip,
        help_text=f"A short name for cards and tables, at most {TITLE_MAX} characters. "
        "Empty: the metric’s own name.",
    )
    unit = ParsedField(
        "Unit",
        widget=text_input("unit-input", autocomplete="off"),
        parse=str.strip,
        help_text=f"Shown after the value: ms, %, MB. At most {UNIT_MAX} characters.",
    )
    scale = ParsedField(
        "Scale",
        widget=select(
            [
                (Scale.NONE.value, "No proportion"),
                (Scale.FRACTION.value, "A proportion, written 0 to 1"),
                (Scale.PERCENT.value, "A proportion, written 0 to 100"),
            ]
        ),
        parse=choice_of(Scale, "Choose how the metric is written."),
        help_text="The noise of a proportion is reckoned from its number of samples where no "
        "standard error was stated.",
    )
    description = ParsedField(
        "Description",
        widget=text_area(rows=3),
        parse=lambda text: text.replace("\r\n", "\n").strip(),
    )

    @classmethod
    def of(cls, definition: MetricDefinition) -> Self:
        """Return the form that shows `definition`."""
        return cls(initial={name: getattr(definition, name) for name in cls.base_fields})

    def definition(self, name: str) -> MetricDefinition:
        """Return what the form says of the metric."""
        return MetricDefinition(name=name, **self.cleaned_data)
