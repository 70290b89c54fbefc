"""Files by the protocol of MLflow's clients for servers that proxy artifact storage.

There are two trees. Below ``versions/<uid of the model>/<number>/`` are the files of versions,
read-only; everything else is what clients stored for their runs
(`boards.queries.facts.files.run_files` says who reaches it).
"""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.access_events import send_file
from boards.files.uploads import body_of
from boards.mlflow_protocol.documents import Document
from boards.mlflow_protocol.errors import (
    NOT_IMPLEMENTED,
    PERMISSION_DENIED,
    ProtocolError,
)
from boards.mlflow_protocol.given import Given
from boards.queries.facts.files import artifact, run_files
from boards.registry.artifacts.run_files import delete_run_files, store_run_file
from obeya.artifacts.paths import artifact_path
from obeya.errors import NotFound

_OF_VERSION = re.compile(r"versions/([0-9a-f-]{36})/([1-9][0-9]{0,9})(?:/(.+))?\Z", re.DOTALL)
_VERSIONS = "versions"
# The clients search for this text in a response to decide that they have to send whole files.
_NO_PARTS = "Multipart upload is not supported for the current artifact repository"


def address_of(version: models.ModelVersion, site: str) -> str:
    """Return the URL where a client finds the files of a version that are stored here."""
    return f"{site}{run_files.FOLDER}{_VERSIONS}/{version.model.uid}/{version.number}"


def list_files(actor: Actor, given: Given) -> Document:
    """List a folder. A missing folder is empty, as in a bucket."""
    actor.require_anywhere(Permission.VIEW)
    text = given.text("path").strip("/")
    folder = artifact_path(text) if text else ""
    found = _OF_VERSION.match(folder)
    if found:
        version = _version(actor, found)
        listed = artifact.listed_files(version, found[3] or "")
    elif folder.split("/")[0] == _VERSIONS:
        listed = []
    else:
        listed = run_files.listed_run_files(folder, actor)
    return {
        "files": [
            {
                "path": entry.path.rpartition("/")[2],
                "is_dir": entry.is_folder,
                **({} if entry.is_folder else {"file_size": entry.size}),
            }
            for entry in listed
        ]
    }


def file(request: HttpRequest, actor: Actor, method: str, path: str) -> HttpResponseBase:
    """Read, store or delete a file."""
    actor.require_anywhere(Permission.VIEW)
    path = artifact_path(path)
    found = _OF_VERSION.match(path)
    if method == "GET":
        if found:
            version = _version(actor, found)
            return send_file(request, actor, artifact.file_of(version, found[3] or ""), version)
        return send_file(request, actor, run_files.run_file(path, actor))
    if path.split("/")[0] == _VERSIONS:
        raise ProtocolError(
            PERMISSION_DENIED, "The files of a registered version can't be changed."
        )
    if method == "PUT":
        body, size = body_of(request)
        store_run_file(path=path, body=body, size=size, actor=actor, at=timezone.now())
    else:
        delete_run_files(path=path, actor=actor, at=timezone.now())
    return JsonResponse({}, status=HTTPStatus.OK)


def in_parts(request: HttpRequest, actor: Actor, method: str) -> HttpResponseBase:
    """Refuse uploads in parts: files are sent whole and streamed, and no part is ever stored."""
    raise ProtocolError(NOT_IMPLEMENTED, _NO_PARTS)


def _version(actor: Actor, found: re.Match[str]) -> models.ModelVersion:
    rows = models.ModelVersion.objects.filter(
        model__uid=_uid(found[1]), number=int(found[2]), deleted_at=None, model__deleted_at=None
    )
    row = rows.select_related("model").first()
    if row is None or not actor.reaches(row.model.name):
        raise NotFound("There is no such version.", what="file")
    return row


def _uid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound("There is no such version.", what="file") from None
