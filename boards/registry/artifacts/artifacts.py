"""Writes that store files and attach them to versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.files import blob_store
from boards.files.blob_store import Body
from boards.queries.facts.accounts.visible_models import stored_by, visible_models
from boards.queries.facts.files.file_findings import file_warnings, findings_digest, sealed_findings
from boards.registry.commit import ModelWrite, writing_model
from obeya.artifacts.findings import findings_of
from obeya.artifacts.inspection import INSPECTOR
from obeya.artifacts.manifest import (
    FileEntry,
    artifact_digest,
    checked_entries,
    checked_sha256,
)
from obeya.errors import DigestMismatch, NotFound
from obeya.names import artifact_digest as checked_digest
from obeya.records import Action
from obeya.refusals import Conflict
from obeya.stages import Stage

UNNAMED_FOR = timedelta(days=1)
"""How long unreferenced content is kept: new content is attached only after it was uploaded."""


def store_blob(
    *, body: Body, size: int | None, sha256: str = "", actor: Actor, at: datetime
) -> models.Blob:
    """Store content under its SHA-256. Content that is already stored is replaced: this repairs it.

    `size` is the announced size in bytes, None if none was announced; `sha256` is the digest that
    the content must have, if any. No version changes, so there is no event.

    Raises:
        NotAllowed: the actor does not have the register permission.
        InvalidInput: the digest is not a SHA-256, or fewer bytes arrived than were announced.
        DigestMismatch, TooLarge, StorageFull: see `boards.files.blob_store.arrived`.
    """
    actor.require_anywhere(Permission.REGISTER)
    stated = checked_sha256(sha256) if sha256 else ""
    with blob_store.arrived(body, size=size, sha256=stated) as content:
        # Updated before the content is placed: from here on it is too recent to be collected.
        models.Blob.objects.filter(sha256=content.sha256).update(sent_at=at)
        with blob_store.full_disk_as_error(), content.path.open("rb") as file:
            findings = findings_of(file, content.size)
        sealed = sealed_findings(content.sha256, content.size, findings, INSPECTOR)
        found = sealed | {"damage": "", "damaged_at": None}
        blob_store.place(content)
        with transaction.atomic():
            blob, _ = models.Blob.objects.update_or_create(
                sha256=content.sha256,
                defaults=found | {"sent_at": at},
                create_defaults=found | {"sent_at": at, "created_at": at},
            )
            if actor.user:
                limit = actor.grant.models_digest if actor.grant else ""
                models.BlobUpload.objects.get_or_create(
                    blob=blob, user=actor.user, models_digest=limit
                )
            if not blob_store.is_there(content.sha256):
                # It was collected as unreferenced content after it was placed.
                raise Conflict(
                    "The content was removed as unused while it was being stored. Send it again.",
                    stage=None,
                    revision=0,
                )
    return blob


def set_artifact(
    *,
    name: str,
    version: int,
    files: Iterable[FileEntry],
    digest: str = "",
    actor: Actor,
    at: datetime,
) -> models.ModelVersion:
    """Set all files of a version. The same files again write nothing.

    Their content must have been stored before, by the actor or where the actor can read it.
    `digest`, if given, must equal the result of `obeya.artifacts.manifest.artifact_digest`.

    Raises:
        NotAllowed: the actor does not have the register permission.
        NotFound: there is no such version, or content was never uploaded.
        InvalidInput: paths are invalid, or cannot exist beside each other.
        DigestMismatch: the files do not have the digest `digest`, or the one that the version was
            registered with.
        Conflict: the version has left Development, and its files are fixed.
    """
    actor.require(Permission.REGISTER, name)
    entries = checked_entries(files)
    found = artifact_digest(entries)
    stated = checked_digest(digest)
    if stated and stated != found:
        raise DigestMismatch(f"The files have the digest {found}, not {stated}.")
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        if row.artifact_size is not None and row.artifact_digest == found:
            present = models.ArtifactFile.objects.filter(version=row)
            if set(present.values_list("path", flat=True)) == {e.path for e in entries}:
                return row
        if Stage(row.stage) is not Stage.DEVELOPMENT:
            raise Conflict(
                f"{write.model.name} v{row.number} has left Development, so its files can't be "
                "changed. Register a new version.",
                stage=Stage(row.stage),
                revision=row.revision,
            )
        if row.artifact_size is None and row.artifact_digest not in ("", found):
            raise DigestMismatch(
                f"The files have the digest {found}, but {write.model.name} v{row.number} was "
                f"registered with {row.artifact_digest}, which cannot be changed. Upload the files "
                "with that digest, or register a new version for these files."
            )
        attach_files(write, row, named_content(entries, actor=actor))
        return row


@dataclass(frozen=True, slots=True)
class NamedContent:
    """Files with the rows of their content, locked so that none is collected meanwhile."""

    entries: Sequence[FileEntry]
    blobs: Mapping[str, models.Blob]


def attach_files(write: ModelWrite, row: models.ModelVersion, content: NamedContent) -> None:
    """Set the files of a version of the locked model."""
    digest = artifact_digest(content.entries)
    old = {"digest": row.artifact_digest, "size": row.artifact_size}
    models.ArtifactFile.objects.filter(version=row).delete()
    models.ArtifactFile.objects.bulk_create(
        models.ArtifactFile(version=row, path=entry.path, blob=content.blobs[entry.sha256])
        for entry in content.entries
    )
    size = sum(content.blobs[entry.sha256].size for entry in content.entries)
    blobs = {entry.path: content.blobs[entry.sha256] for entry in content.entries}
    found = file_warnings(blobs)
    write.update_version(row, artifact_digest=digest, artifact_size=size, **found)
    write.record(
        Action.ARTIFACT_STORED,
        version=row,
        data={
            "digest": digest,
            "size": size,
            "files": len(content.entries),
            "warnings": len(found["artifact_warnings"]) + len(found["artifact_code"]),
            "findings_digest": findings_digest(row),
            "inspector": row.artifact_inspector,
            "old": old if old["digest"] or old["size"] is not None else None,
        },
    )


def named_content(entries: Sequence[FileEntry], *, actor: Actor) -> NamedContent:
    """Return the content of files, locked for the transaction.

    Raises:
        NotFound: content was never uploaded or is damaged, or the actor neither uploaded it nor can
            read it.
    """
    wanted = {entry.sha256 for entry in entries}
    readable = models.Blob.objects.filter(sha256__in=wanted, damage="")
    if actor.user is not None:
        sent = models.BlobUpload.objects.filter(stored_by(actor), blob=OuterRef("pk"))
        own = models.ArtifactFile.objects.filter(
            visible_models(actor, "version__model"), blob=OuterRef("pk")
        )
        reached = Q(Exists(sent)) | Q(Exists(own))
        if actor.may_everywhere(Permission.ADMINISTER):
            reached |= Q(Exists(models.RunFile.objects.filter(blob=OuterRef("pk"))))
        readable = readable.filter(reached)
    blobs = {blob.sha256: blob for blob in readable.select_for_update(of=("self",))}
    missing = next((entry for entry in entries if entry.sha256 not in blobs), None)
    if missing is not None:
        raise NotFound(
            f"The content of {missing.path} (SHA-256 {missing.sha256}) is missing or damaged. "
            "Upload it first.",
            what="blob",
        )
    return NamedContent(entries, blobs)


def collect_garbage(*, at: datetime, remove: bool) -> list[tuple[str, int]]:
    """Return the digest and size of content that is unreferenced and was not uploaded for a day.

    Unreferenced: no version and no run has it as a file. Stored content without a row is found too:
    a server that was killed can leave it. It is removed only with `remove`, together with uploads
    that were interrupted and never cleaned up.
    """
    if remove:
        for part in blob_store.unfinished_uploads((at - UNNAMED_FOR).timestamp()):
            part.unlink(missing_ok=True)
    found = []
    unnamed = models.Blob.objects.filter(
        ~Exists(models.ArtifactFile.objects.filter(blob=OuterRef("pk"))),
        ~Exists(models.RunFile.objects.filter(blob=OuterRef("pk"))),
        sent_at__lt=at - UNNAMED_FOR,
    )
    for pk in list(unnamed.order_by("sha256").values_list("pk", flat=True)):
        with transaction.atomic():
            # Queried again under the lock: it may have been uploaded or referenced since.
            blob = unnamed.select_for_update(of=("self",)).filter(pk=pk).first()
            if blob is None:
                continue
            found.append((blob.sha256, blob.size))
            if remove:
                blob_store.discard(blob.sha256)
                blob.delete()
    return found + _strays(at, remove=remove)


def _strays(at: datetime, *, remove: bool) -> list[tuple[str, int]]:
    """Return stored content without a row: the server was killed before it created the row."""
    found = []
    for sha256 in blob_store.stored_contents():
        if models.Blob.objects.filter(sha256=sha256).exists():
            continue
        with suppress(FileNotFoundError, ValueError), transaction.atomic():
            size = blob_store.size_of(sha256)
            # The new row is the lock: a concurrent upload of the content waits for it, and then
            # sees that the content was removed.
            row, is_new = models.Blob.objects.get_or_create(
                sha256=sha256, defaults={"size": size, "created_at": at, "sent_at": at}
            )
            if not is_new:
                continue
            if blob_store.placed_at(sha256) < at - UNNAMED_FOR:
                found.append((sha256, size))
                if remove:
                    blob_store.discard(sha256)
            row.delete()
    return found
