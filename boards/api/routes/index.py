"""The index of the API."""

from __future__ import annotations

from importlib.metadata import version

from django.http import HttpResponse
from django.urls import reverse
from ninja import Router

from boards.api.answers import answer
from boards.api.guard import ApiRequest
from boards.api.schemas.basics import Index

router = Router(tags=["Index"])


@router.get("/", response=Index)
def get_index(request: ApiRequest) -> HttpResponse:
    """Retrieve the version of Obeya, and the URLs of the documentation."""
    return answer(
        {
            "version": version("obeya"),
            "documentation": request.build_absolute_uri(reverse("api:docs")),
            "openapi": request.build_absolute_uri(reverse("api:openapi-json")),
        }
    )
