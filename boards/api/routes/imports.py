"""Imports from another registry."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router

from boards.api.answers import answer
from boards.api.guard import ApiRequest
from boards.api.schemas.imports import ImportIn, ImportReport
from boards.registry.transfer import imports as import_writes
from obeya.artifacts.manifest import FileEntry
from obeya.documents.imports import import_report_document
from obeya.imports import ImportedModel, ImportedVersion
from obeya.stages import Stage

router = Router(tags=["Imports"])


@router.post("/imports", response=ImportReport)
def import_model(request: ApiRequest, new: ImportIn) -> HttpResponse:
    """Import a model and its versions, with their numbers, stages and times.

    Workflows and policies are not applied: each version keeps its stage, and one in Staging or
    Production is marked with `imported_unchecked`. A version with a time in the future is refused,
    unless `clamp_future_times` is true. Existing versions are not changed. To import the files of a
    version, upload their content first. Requires the import permission.
    """
    imported = ImportedModel(
        name=new.model,
        origin=new.origin,
        created_at=new.created_at,
        description=new.description,
        tags=new.tags,
        versions=tuple(
            ImportedVersion(
                version=version.version,
                stage=Stage(version.stage),
                created_at=version.created_at,
                updated_at=version.updated_at,
                metrics=version.metrics,
                tags=version.tags,
                aliases=tuple(version.aliases),
                artifact_path=version.artifact_path,
                source_run=version.source_run,
                description=version.description,
                files=tuple(FileEntry(file.path, file.sha256) for file in version.files),
            )
            for version in new.versions
        ),
        clamp_future_times=new.clamp_future_times,
    )
    report = import_writes.import_model(imported=imported, actor=request.actor, at=timezone.now())
    return answer(import_report_document(report))
