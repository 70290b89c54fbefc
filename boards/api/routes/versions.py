"""Versions: register, read, describe, log metrics, tag."""

from __future__ import annotations

from typing import Annotated

from django.db.models import Q
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Path, Query, Router
from pydantic import Field

from boards.access.permissions import Permission
from boards.api.answers import answer, created, done, if_match, is_known, page
from boards.api.guard import ApiRequest
from boards.api.paging import CURSOR_PATTERN, Limit
from boards.api.routes.catalog import Key, Name
from boards.api.schemas.basics import Items, Page, StageName
from boards.api.schemas.catalog import (
    Metrics,
    NewMetrics,
    NewVersions,
    TagValue,
    Version,
    VersionChange,
    VersionFields,
)
from boards.models import ModelVersion
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.records import find_model, version_records
from boards.queries.paging.keyset import CURSOR_MAX
from boards.queries.search import version_list
from boards.registry.catalog import catalog as catalog_writes
from boards.registry.catalog import metrics as metric_writes
from boards.registry.catalog import registration as registration_writes
from boards.registry.catalog.labels import delete_tag, set_tag
from boards.registry.database import DatabaseRegistry
from obeya.documents.catalog import version_document
from obeya.errors import NotFound
from obeya.filters.language import parse_filter
from obeya.filters.ordering import parse_ordering
from obeya.filters.tokens import FILTER_MAX
from obeya.metrics import Metric
from obeya.records import VersionDraft
from obeya.stages import Stage
from obeya.values import NUMBER_MAX

router = Router(tags=["Versions"])

ORDERING_MAX = 1_024

FilterText = Annotated[
    str,
    Query(
        alias="filter",
        max_length=FILTER_MAX,
        description='A filter, such as `metrics.accuracy >= 0.9 and tags.family = "resnet"`.',
    ),
]
OrderText = Annotated[
    str,
    Query(),
    Field(
        max_length=ORDERING_MAX, description="An order, such as `metrics.accuracy desc, created`."
    ),
]
VersionCursor = Annotated[
    str,
    Query(),
    Field(
        max_length=CURSOR_MAX,
        pattern=CURSOR_PATTERN,
        description="`next` of the previous page. Valid only for the same order_by.",
    ),
]
Number = Annotated[int, Path(), Field(ge=1, le=NUMBER_MAX)]


@router.post("/models/{name}/versions", response={201: Version})
def register_version(request: ApiRequest, name: Name, version: VersionFields) -> HttpResponse:
    """Register a version in Development. The model is created if it doesn't exist."""
    draft = _draft(name, version)
    row = registration_writes.register_version(
        draft=draft,
        actor=request.actor,
        at=timezone.now(),
    )
    document = version_document(version_records([row])[0])
    return created(document, revision=row.revision, location=_address(row))


@router.post("/versions", response={201: Items[Version]})
def register_versions(request: ApiRequest, new: NewVersions) -> HttpResponse:
    """Register 1 to 1,000 versions of one or more models: all of them or none."""
    rows = registration_writes.register_versions(
        drafts=[_draft(version.model, version) for version in new.versions],
        actor=request.actor,
        at=timezone.now(),
    )
    return created({"items": [version_document(version) for version in version_records(rows)]})


@router.get("/versions", response=Page[Version])
def list_versions(
    request: ApiRequest,
    where: FilterText = "",
    order_by: OrderText = "",
    cursor: VersionCursor = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List the versions of all models. docs/filters.md describes the filter language."""
    request.actor.require_anywhere(Permission.VIEW)
    return _page(visible_models(request.actor), where, order_by, cursor, limit)


@router.get("/models/{name}/versions", response=Page[Version])
def list_versions_of_model(
    request: ApiRequest,
    name: Name,
    where: FilterText = "",
    order_by: OrderText = "",
    cursor: VersionCursor = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List the versions of a model."""
    request.actor.require(Permission.VIEW, name)
    return _page(Q(model=find_model(name)), where, order_by, cursor, limit)


@router.get("/models/{name}/versions/latest", response=Version)
def get_latest_version(
    request: ApiRequest, name: Name, stage: StageName | None = None
) -> HttpResponse:
    """Retrieve the version with the highest number, in all stages or in one stage."""
    reader = DatabaseRegistry(actor=request.actor)
    if stage is None:
        version = reader.get_latest(name)
    else:
        version = reader.get_latest_in_stage(name, Stage(stage))
    if version is None:
        where = f" in {Stage(stage).label}" if stage else ""
        raise NotFound(f"{name} has no version{where}.", what="version")
    return answer(version_document(version), revision=version.revision)


@router.get("/models/{name}/versions/{version}", response=Version)
def get_version(request: ApiRequest, name: Name, version: Number) -> HttpResponse:
    """Retrieve a version. Its ETag is its revision."""
    found = DatabaseRegistry(actor=request.actor).get_version(name, version)
    if is_known(request, found.revision):
        return HttpResponse(status=304)
    return answer(version_document(found), revision=found.revision)


@router.patch("/models/{name}/versions/{version}", response=Version)
def change_version(
    request: ApiRequest, name: Name, version: Number, change: VersionChange
) -> HttpResponse:
    """Change the description of a version."""
    with if_match(request, name, version):
        catalog_writes.set_description(
            name=name,
            version=version,
            text=change.description,
            actor=request.actor,
            at=timezone.now(),
        )
    return _version(request, name, version)


@router.delete("/models/{name}/versions/{version}", response={204: None})
def delete_version(request: ApiRequest, name: Name, version: Number) -> HttpResponse:
    """Delete a version. Its events are kept, and its number is never used again."""
    with if_match(request, name, version):
        catalog_writes.delete_version(
            name=name, version=version, actor=request.actor, at=timezone.now()
        )
    return done()


@router.post("/models/{name}/versions/{version}/metrics", response=Version)
def log_metrics(request: ApiRequest, name: Name, version: Number, new: NewMetrics) -> HttpResponse:
    """Add metrics to a version. Existing values are replaced and stay in the audit log."""
    with if_match(request, name, version):
        metric_writes.log_metrics(
            name=name,
            version=version,
            metrics=_metrics(new.metrics),
            allow_similar=new.allow_similar,
            actor=request.actor,
            at=timezone.now(),
        )
    return _version(request, name, version)


@router.put("/models/{name}/versions/{version}/tags/{path:key}", response={204: None})
def set_version_tag(
    request: ApiRequest, name: Name, version: Number, key: Key, tag: TagValue
) -> HttpResponse:
    """Set a tag of a version."""
    with if_match(request, name, version):
        set_tag(
            name=name,
            version=version,
            key=key,
            value=tag.value,
            allow_similar=tag.allow_similar,
            actor=request.actor,
            at=timezone.now(),
        )
    return done()


@router.delete("/models/{name}/versions/{version}/tags/{path:key}", response={204: None})
def delete_version_tag(request: ApiRequest, name: Name, version: Number, key: Key) -> HttpResponse:
    """Remove a tag of a version."""
    with if_match(request, name, version):
        delete_tag(name=name, version=version, key=key, actor=request.actor, at=timezone.now())
    return done()


def _page(within: Q, text: str, order_by: str, cursor: str, limit: int) -> HttpResponse:
    found = version_list.list_versions(
        now=timezone.now(),
        expression=parse_filter(text) if text.strip() else None,
        ordering=parse_ordering(order_by),
        after=cursor,
        limit=limit,
        within=within,
    )
    return page([version_document(version) for version in found.versions], found.next_cursor)


def _version(request: ApiRequest, name: str, number: int) -> HttpResponse:
    version = DatabaseRegistry(actor=request.actor).get_version(name, number)
    return answer(version_document(version), revision=version.revision)


def _address(row: ModelVersion) -> str:
    return reverse("api:get_version", args=[row.model.name, row.number])


def _draft(model: str, fields: VersionFields) -> VersionDraft:
    return VersionDraft(
        model=model,
        version=fields.version,
        metrics=_metrics(fields.metrics),
        artifact_path=fields.artifact_path,
        label=fields.label,
        tags=fields.tags,
        description=fields.description,
        source_run=fields.source_run,
        artifact_digest=fields.artifact_digest,
        allow_similar=fields.allow_similar,
    )


def _metrics(stated: Metrics) -> dict[str, float | Metric]:
    return {
        name: value
        if isinstance(value, float | int)
        else Metric(name, value.value, value.samples, value.standard_error, value.dataset)
        for name, value in stated.items()
    }
