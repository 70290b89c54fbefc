"""Comparisons of versions."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Query, Router
from ninja.params import functions
from pydantic import Field

from boards.access.permissions import Permission
from boards.api.answers import answer
from boards.api.guard import ApiRequest
from boards.api.routes.catalog import Name
from boards.api.schemas.catalog import Comparison, VersionComparison
from boards.queries.compare.compare_page import VERSIONS_MAX, VersionRef, compare_page
from boards.registry.database import DatabaseRegistry
from obeya.documents.catalog import version_document
from obeya.documents.comparisons import comparison_document
from obeya.errors import InvalidInput
from obeya.values import NUMBER_MAX

router = Router(tags=["Comparison"])

_REFS: Any = functions.Query(
    ...,
    min_length=1,
    max_length=VERSIONS_MAX,
    description="A version as `model:number`. Repeat the parameter for each version.",
)
Baseline = Annotated[
    int | None,
    Query(),
    Field(
        ge=0,
        lt=VERSIONS_MAX,
        description="Index of the baseline in `v`, from 0. Default: the first model's champion.",
    ),
]
Side = Annotated[int, Query(), Field(ge=1, le=NUMBER_MAX)]


@router.get("/comparisons", response=Comparison)
def compare(request: ApiRequest, v: list[str] = _REFS, baseline: Baseline = None) -> HttpResponse:
    """Compare up to six versions with a baseline. They can belong to different models."""
    request.actor.require_anywhere(Permission.VIEW)
    refs = tuple(dict.fromkeys(VersionRef.parse(text) for text in v))
    for ref in refs:
        request.actor.require(Permission.VIEW, ref.model)
    if baseline is not None and baseline >= len(refs):
        raise InvalidInput(
            f"The baseline must be the index of one of the versions, from 0 to {len(refs) - 1}.",
            field="baseline",
        )
    found = compare_page(refs, baseline)
    return answer(
        {
            "baseline": version_document(found.sides[0].version),
            "comparisons": [
                {
                    "version": version_document(side.version),
                    "comparison": comparison_document(side.comparison),
                }
                for side in found.challengers
                if side.comparison is not None
            ],
        }
    )


@router.get("/models/{name}/comparison", response=VersionComparison)
def compare_versions(request: ApiRequest, name: Name, a: Side, b: Side) -> HttpResponse:
    """Compare version `b` of a model with version `a`."""
    return answer(
        comparison_document(DatabaseRegistry(actor=request.actor).compare_versions(name, a, b))
    )
