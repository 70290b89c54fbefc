"""Base classes and fields of all forms.

A form only parses text into values; the write path decides what it accepts, so that pages, API and
command line refuse the same things with the same sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.utils.html import format_html
from django.utils.safestring import SafeString

from obeya import names
from obeya.errors import InvalidInput, RegistryError

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


class FormRenderer(TemplatesSetting):
    """Renders each field with its label, help and errors by `templates/_field.html`."""

    field_template_name = "_field.html"


class PageForm(forms.Form):
    """A form of a page. `ids` is the pattern of its elements' ids, distinct on the page.

    `error_fields` maps the `field` of an `InvalidInput` to the form's field if the names differ.
    """

    template_name = "_form.html"
    ids: ClassVar[str] = "%s"
    error_fields: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
        ids: str | None = None,
    ) -> None:
        super().__init__(
            data, initial=dict(initial or {}), auto_id=ids or self.ids, label_suffix=""
        )
        self.refusal: RegistryError | None = None

    def refuse(self, error: RegistryError) -> None:
        """Show the sentence of `error` at its field, or above the form if it has none."""
        self.refusal = error
        field = getattr(error, "field", None) or ""
        field = self.error_fields.get(field, field)
        self.add_error(field if field in self.fields else None, str(error))

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows the form."""
        if self.refusal is not None:
            return self.refusal.http_status
        return InvalidInput.http_status if self.errors else 200


class ParsedField(forms.Field):
    """A field whose value is what `parse` returns for the text, by default the text.

    An `InvalidInput` of `parse` is an error of the field. Nothing else is checked, "required" in
    the widget's attributes included.
    """

    def __init__(
        self,
        label: str,
        *,
        widget: forms.Widget,
        parse: Callable[[Any], Any] = lambda value: value,
        help_text: str = "",
    ) -> None:
        super().__init__(required=False, label=label, widget=widget, help_text=help_text)
        self.parse = parse

    def clean(self, value: Any) -> Any:
        """Return the value of what was sent; a field that was not sent counts as empty."""
        try:
            return self.parse("" if value is None else value)
        except InvalidInput as error:
            raise ValidationError(str(error)) from None


class _WithDisabledOptions(forms.widgets.ChoiceWidget):
    """A choice with some options that are visible but cannot be chosen."""

    def __init__(
        self,
        attrs: dict[str, Any] | None = None,
        choices: Iterable[tuple[str, str]] = (),
        disabled: Collection[str] = (),
    ) -> None:
        super().__init__(attrs, choices)
        self.disabled = disabled

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the context of one option."""
        option = super().create_option(name, value, *args, **kwargs)
        if value in self.disabled:
            option["attrs"]["disabled"] = True
        return option


class Select(_WithDisabledOptions, forms.Select):
    """A list from which one option is chosen."""


class Checkboxes(_WithDisabledOptions, forms.CheckboxSelectMultiple):
    """A list from which any number of options is chosen."""


def choice_of(choices: type[ChoiceT], sentence: str) -> Callable[[str], ChoiceT]:
    """Return a parser of the values of an enumeration; anything else is refused with `sentence`."""

    def parse(text: str) -> ChoiceT:
        try:
            return choices(text)
        except ValueError:
            raise InvalidInput(sentence) from None

    return parse


def text_input(style: str = "", **attrs: Any) -> forms.TextInput:
    """Return the widget for a line of text; `style` is an additional class."""
    return forms.TextInput({"class": f"input {style}".strip(), **attrs})


def text_area(*, rows: int, **attrs: Any) -> forms.Textarea:
    """Return the widget for several lines of text."""
    return forms.Textarea({"class": "input", "rows": rows, **attrs})


def select(
    choices: Iterable[tuple[str, str]] = (), disabled: Collection[str] = (), **attrs: Any
) -> Select:
    """Return the widget of a list from which one option is chosen."""
    return Select({"class": "input", **attrs}, choices, disabled)


def reason_field(
    label: str = "Reason",
    *,
    rows: int,
    required: bool = False,
    parse: Callable[[str], str] = str,
) -> ParsedField:
    """Return the field for the reason of a change."""
    widget = text_area(rows=rows, maxlength=names.REASON_MAX, required=required)
    return ParsedField(label, widget=widget, parse=parse)


def with_mark(label: str, mark: str) -> SafeString:
    """Return a label with a quiet remark in brackets."""
    return format_html('{} <span class="quiet">({})</span>', label, mark)
