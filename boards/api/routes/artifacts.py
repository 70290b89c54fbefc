"""Files: content by its digest, and the artifact of a version."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Path, Router
from pydantic import Field

from boards.access.permissions import Permission
from boards.access_events import send_file
from boards.api.answers import answer, done, if_match
from boards.api.guard import ApiRequest
from boards.api.routes.catalog import Name
from boards.api.routes.versions import Number
from boards.api.schemas.artifacts import BINARY_ANSWER, BINARY_BODY, Artifact, Blob, NewArtifact
from boards.files.uploads import body_of
from boards.models import ModelVersion
from boards.queries.facts.accounts.visible_models import stored_by
from boards.queries.facts.files.artifact import artifact_of, blob_is_here, file_of
from boards.queries.facts.records import find_named_version
from boards.registry.artifacts import artifacts as artifact_writes
from obeya.artifacts.manifest import FileEntry, checked_sha256
from obeya.artifacts.paths import PATH_MAX
from obeya.documents.artifacts import artifact_document
from obeya.errors import NotFound

router = Router(tags=["Artifacts"])

Sha256 = Annotated[
    str,
    Path(),
    Field(
        pattern="^[0-9a-f]{64}$",
        description="The SHA-256 of the content, as 64 lower-case hexadecimal digits.",
    ),
]
FilePath = Annotated[str, Path(), Field(max_length=4 * PATH_MAX)]


@router.put("/blobs/{sha256}", response={200: Blob}, openapi_extra=BINARY_BODY)
def store_blob(request: ApiRequest, sha256: Sha256) -> HttpResponse:
    """Upload content under its SHA-256. The request body is the content; it can be streamed."""
    body, size = body_of(request)
    blob = artifact_writes.store_blob(
        body=body, size=size, sha256=sha256, actor=request.actor, at=timezone.now()
    )
    return answer({"sha256": blob.sha256, "size": blob.size})


@router.get("/blobs/{sha256}", response={204: None})
def find_blob(request: ApiRequest, sha256: Sha256) -> HttpResponse:
    """Check whether you uploaded this content before. The status is 204 if you did, else 404."""
    request.actor.require_anywhere(Permission.REGISTER)
    if not blob_is_here(checked_sha256(sha256), stored_by(request.actor)):
        raise NotFound("You have not uploaded content with this SHA-256.", what="blob")
    return done()


@router.put("/models/{name}/versions/{version}/artifact", response=Artifact)
def set_artifact(
    request: ApiRequest, name: Name, version: Number, artifact: NewArtifact
) -> HttpResponse:
    """Set all files of a version, in Development only. Upload their content first.

    Setting the same files again changes nothing.
    """
    with if_match(request, name, version):
        row = artifact_writes.set_artifact(
            name=name,
            version=version,
            files=[FileEntry(file.path, file.sha256) for file in artifact.files],
            digest=artifact.digest,
            actor=request.actor,
            at=timezone.now(),
        )
    return _artifact(row)


@router.get("/models/{name}/versions/{version}/artifact", response=Artifact)
def get_artifact(request: ApiRequest, name: Name, version: Number) -> HttpResponse:
    """List the files of a version, with the findings about their content."""
    request.actor.require(Permission.VIEW, name)
    return _artifact(find_named_version(name, version))


@router.get(
    "/models/{name}/versions/{version}/artifact/files/{path:path}",
    response={200: None, 206: None, 304: None, 416: None},
    openapi_extra=BINARY_ANSWER,
)
def download_file(
    request: ApiRequest, name: Name, version: Number, path: FilePath
) -> HttpResponseBase:
    """Download a file of a version. Supports Range and If-None-Match; the ETag is its SHA-256."""
    request.actor.require(Permission.VIEW, name)
    row = find_named_version(name, version)
    return send_file(request, request.actor, file_of(row, path), row)


def _artifact(row: ModelVersion) -> HttpResponse:
    return answer(artifact_document(artifact_of(row)), revision=row.revision)
