"""The form that stores the files of a version, and the pieces that its script uploads before.

Without JavaScript the form contains the files themselves. With it each file is uploaded in pieces,
which can be resumed, and the form contains path and SHA-256 of each file.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.permissions import Permission
from boards.files import blob_store
from boards.files.upload_handlers import IncomingFiles
from boards.files.upload_pieces import Received, Sending
from boards.files.uploads import sized_body_of
from boards.queries.facts.files.artifact import received
from boards.queries.facts.records import find_named_version
from boards.queries.paging.whole_number import ID_MAX, whole_number
from boards.registry.artifacts import artifacts as artifact_writes
from boards.registry.artifacts import pieces as piece_writes
from boards.views.catalog.version_page import show_version
from boards.views.http import Request, needs, page_actor
from obeya.artifacts.manifest import FileEntry
from obeya.artifacts.paths import artifact_path
from obeya.errors import InvalidInput, NotAllowed, NotFound, RegistryError

MODIFIED_MAX = 40


# Not without a CSRF check: `_set_artifact` does it, after the upload handler was set.
@csrf_exempt
@require_POST
@needs(Permission.REGISTER)
def set_artifact(request: Request, name: str, number: int) -> HttpResponseBase:
    """Set the files of a version: those that the form contains, or that it refers to."""
    find_named_version(name, number)
    announced = whole_number(request.META.get("CONTENT_LENGTH", ""), at_most=ID_MAX)
    try:
        blob_store.require_room(announced or 0)
    except RegistryError as error:
        return show_version(request, name, number, upload_problem=error)
    request.upload_handlers = [IncomingFiles(request)]
    return _set_artifact(request, name, number)


@csrf_protect
def _set_artifact(request: Request, name: str, number: int) -> HttpResponse:
    try:
        with blob_store.full_disk_as_error():
            entries = _named(request) if "files" in request.POST else _brought(request)
        row = artifact_writes.set_artifact(
            name=name, version=number, files=entries, actor=page_actor(request), at=timezone.now()
        )
    except (NotAllowed, NotFound) as error:
        if getattr(error, "what", "") != "blob":
            raise
        return show_version(request, name, number, upload_problem=error)
    except RegistryError as error:
        return show_version(request, name, number, upload_problem=error)
    count = len(entries)
    messages.success(
        request, f"{name} v{row.number} now has {count:,} file{'' if count == 1 else 's'}."
    )
    return redirect("boards:version", name, number)


def _brought(request: Request) -> list[FileEntry]:
    """Store and return the files of the form. Raises `InvalidInput` if there are none."""
    brought = request.FILES.getlist("file")
    if not brought:
        raise InvalidInput("Choose the files of this version.", field="files")
    # All names first: if they cannot exist beside each other, no file is stored.
    paths = [artifact_path(file.name or "") for file in brought]
    actor, at = page_actor(request), timezone.now()
    return [
        FileEntry(
            path,
            artifact_writes.store_blob(body=file, size=file.size, actor=actor, at=at).sha256,
        )
        for path, file in zip(paths, brought, strict=True)
    ]


def _named(request: Request) -> list[FileEntry]:
    """Return the files that were uploaded in pieces. Raises `InvalidInput`."""
    try:
        files = json.loads(request.POST["files"])
        return [FileEntry(str(file["path"]), str(file["sha256"])) for file in files]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidInput("The list of files is invalid. Upload the files again.") from None


@never_cache
@require_http_methods(["GET", "PUT"])
@needs(Permission.REGISTER)
def store_piece(request: Request, name: str, number: int) -> HttpResponse:
    """Return how many bytes of a file are stored (GET), or add the body at ``offset`` (PUT).

    The query identifies the file: its ``path``, its ``size`` in bytes and when it was ``modified``.
    A PUT counts only when the whole body has arrived.
    """
    asked = request.GET
    size = whole_number(asked.get("size", ""), at_most=ID_MAX)
    if size is None:
        raise InvalidInput("The size of the file is missing.", field="size")
    sending = Sending(
        user=request.user.pk,
        version=find_named_version(name, number).pk,
        path=artifact_path(asked.get("path", "")),
        size=size,
        modified=asked.get("modified", "")[:MODIFIED_MAX],
    )
    if request.method == "GET":
        blob_store.require_room(size)
        return _answer(received(sending))
    offset = whole_number(asked.get("offset", ""), at_most=ID_MAX)
    if offset is None:
        raise InvalidInput("The offset of the piece in the file is missing.", field="offset")
    body, length = sized_body_of(request)
    made = piece_writes.store_piece(
        sending=sending,
        body=body,
        length=length,
        offset=offset,
        actor=page_actor(request),
        at=timezone.now(),
    )
    return _answer(made)


def _answer(found: Received) -> JsonResponse:
    document: dict[str, Any] = {"received": found.size, "sha256": found.sha256}
    return JsonResponse(document)
