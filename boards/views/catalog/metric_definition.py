"""What a metric's name means: the form for those who may say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from boards.access.permissions import Permission
from boards.queries.metrics.metric_page import MetricPage, metric_page
from boards.registry.catalog import metrics as metric_writes
from boards.registry.catalog.metrics import TITLE_MAX, UNIT_MAX
from boards.views.http import Request, needs, next_of, page_actor
from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import Direction, MetricDefinition, Scale

DIRECTIONS = (
    (Direction.HIGHER, "Higher is better"),
    (Direction.LOWER, "Lower is better"),
    (Direction.UNKNOWN, "Neither, or not known"),
)
SCALES = (
    (Scale.NONE, "No proportion"),
    (Scale.FRACTION, "A proportion, written 0 to 1"),
    (Scale.PERCENT, "A proportion, written 0 to 100"),
)


@dataclass(slots=True, kw_only=True)
class DefinitionForm:
    """The form as it was typed, with a sentence for each field that cannot be."""

    title: str
    direction: str
    unit: str
    scale: str
    description: str
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, definition: MetricDefinition) -> Self:
        """The form that says `definition`."""
        return cls(
            title=definition.title,
            direction=definition.direction.value,
            unit=definition.unit,
            scale=definition.scale.value,
            description=definition.description,
        )

    @classmethod
    def read(cls, posted: QueryDict) -> Self:
        """The form as it was sent."""
        return cls(
            title=posted.get("title", "").strip(),
            direction=posted.get("direction", ""),
            unit=posted.get("unit", "").strip(),
            scale=posted.get("scale", ""),
            description=posted.get("description", "").replace("\r\n", "\n").strip(),
        )

    def definition(self, name: str) -> MetricDefinition | None:
        """What the form says of the metric; None when a choice is none, noted as a problem."""
        direction = next((d for d, _ in DIRECTIONS if d.value == self.direction), None)
        scale = next((s for s, _ in SCALES if s.value == self.scale), None)
        if direction is None:
            self.problems["direction"] = "Choose which way the metric is better."
        if scale is None:
            self.problems["scale"] = "Choose how the metric is written."
        if direction is None or scale is None:
            return None
        return MetricDefinition(
            name=name,
            direction=direction,
            unit=self.unit,
            scale=scale,
            title=self.title,
            description=self.description,
        )


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.EDIT_POLICY)
def define_metric(request: Request) -> HttpResponse:
    """``?name=...``: the form of a metric's definition, and saving it.

    The name stands in the query because it may hold slashes. `next` is where to go afterwards.
    """
    name = names.metric_name(request.GET.get("name", ""))
    page = metric_page(name)
    if request.method != "POST":
        return _form(request, page, DefinitionForm.of(page.definition))
    form = DefinitionForm.read(request.POST)
    definition = form.definition(name)
    if definition is None:
        return _form(request, page, form)
    try:
        metric_writes.define_metric(
            definition=definition, actor=page_actor(request), at=timezone.now()
        )
    except InvalidInput as error:
        form.problems[error.field or "title"] = str(error)
        return _form(request, page, form)
    if page.is_defined and page.definition == definition:
        messages.info(request, f"Nothing changed about {name}.")
    else:
        messages.success(request, f"Saved what {name} means.")
    here = f"{reverse('boards:define_metric')}?{urlencode({'name': name})}"
    return HttpResponseRedirect(next_of(request) or here)


def _form(request: Request, page: MetricPage, form: DefinitionForm) -> HttpResponse:
    return render(
        request,
        "metric_definition.html",
        {
            "section": "models",
            "page": page,
            "form": form,
            "directions": DIRECTIONS,
            "scales": SCALES,
            "unit_max": UNIT_MAX,
            "title_max": TITLE_MAX,
            "description_max": names.DESCRIPTION_MAX,
            "next": next_of(request),
        },
        status=400 if form.problems else 200,
    )
