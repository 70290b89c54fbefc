"""The form of a metric's definition."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from boards.access.permissions import Permission
from boards.queries.metrics.metric_page import metric_page
from boards.registry.catalog import metrics as metric_writes
from boards.views.catalog.forms import DefinitionForm
from boards.views.http import Request, needs, next_of, page_actor
from obeya import names
from obeya.errors import InvalidInput


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.EDIT_POLICY)
def define_metric(request: Request) -> HttpResponse:
    """Show the form for the metric ``?name=...``, and save it.

    The name is in the query because it can contain slashes. `next` is where to go afterwards.
    """
    name = names.metric_name(request.GET.get("name", ""))
    page = metric_page(name)
    form = DefinitionForm.of(page.definition)
    if request.method == "POST":
        form = DefinitionForm(request.POST)
    if form.is_valid():
        definition = form.definition(name)
        try:
            metric_writes.define_metric(
                definition=definition, actor=page_actor(request), at=timezone.now()
            )
        except InvalidInput as error:
            form.refuse(error)
        else:
            if page.is_defined and page.definition == definition:
                messages.info(request, f"No changes to {name}.")
            else:
                messages.success(request, f"Definition of {name} saved.")
            here = f"{reverse('boards:define_metric')}?{urlencode({'name': name})}"
            return HttpResponseRedirect(next_of(request) or here)
    context = {"section": "models", "page": page, "form": form, "next": next_of(request)}
    return render(request, "metric_definition.html", context, status=form.status)
