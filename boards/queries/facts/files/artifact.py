"""The files of versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from boards import models
from boards.files import blob_store, upload_pieces
from boards.files.upload_pieces import Received, Sending
from obeya.artifacts.manifest import FileEntry, artifact_digest
from obeya.artifacts.paths import artifact_path
from obeya.artifacts.records import Artifact, ArtifactFile, Damage
from obeya.errors import NotFound

DAMAGED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Listed:
    """A file or a folder in a folder; `path` is the full path, `size` is None for a folder."""

    path: str
    size: int | None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.size is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of an artifact; `size` (bytes) and `count` are those of all files below it."""

    name: str
    folders: tuple[Folder, ...]
    files: tuple[ArtifactFile, ...]
    size: int
    count: int


def tree_of(files: Sequence[ArtifactFile], name: str = "", depth: int = 0) -> Folder:
    """Return files, sorted by path, as a tree of folders."""
    here: list[ArtifactFile] = []
    below: dict[str, list[ArtifactFile]] = {}
    for file in files:
        parts = file.path.split("/")
        if len(parts) == depth + 1:
            here.append(file)
        else:
            below.setdefault(parts[depth], []).append(file)
    folders = tuple(tree_of(inside, part, depth + 1) for part, inside in below.items())
    return Folder(
        name=name,
        folders=folders,
        files=tuple(here),
        size=sum(file.size for file in files),
        count=len(files),
    )


def artifact_of(version: models.ModelVersion) -> Artifact:
    """Return the artifact of a version; one statement, none if no files are stored."""
    files: tuple[ArtifactFile, ...] = ()
    if version.artifact_size is not None:
        rows = models.ArtifactFile.objects.filter(version=version).select_related("blob")
        files = tuple(stored_file(row) for row in rows.order_by("path"))
    warnings = (*_damages(files), *version.artifact_warnings, *version.artifact_code)
    return Artifact(version.artifact_digest, version.artifact_size, warnings, files)


def file_of(version: models.ModelVersion, path: str) -> ArtifactFile:
    """Return one file of a version. Raises `NotFound`, and `InvalidInput` for an invalid path."""
    rows = models.ArtifactFile.objects.filter(
        version=version, path=artifact_path(path)
    ).select_related("blob")
    row = rows.first()
    if row is None:
        raise NotFound(f"There is no file “{path[:64]}” in this version.", what="file")
    return stored_file(row)


def listed_files(version: models.ModelVersion, folder: str) -> list[Listed]:
    """List a folder of the files of a version ("" for the root), without what is below folders."""
    start = f"{folder}/" if folder else ""
    rows = models.ArtifactFile.objects.filter(version=version, path__startswith=start)
    return one_level(rows.values_list("path", "blob__size"), start)


def blob_is_here(sha256: str, uploaded: Q) -> bool:
    """Return whether one of these uploads was of this content, and it is stored undamaged."""
    sent = models.BlobUpload.objects.filter(uploaded, blob__sha256=sha256, blob__damage="")
    size = sent.values_list("blob__size", flat=True).first()
    try:
        return size is not None and blob_store.size_of(sha256) == size
    except FileNotFoundError:
        return False


def received(sending: Sending) -> Received:
    """Return what has been received of a file that is uploaded in pieces."""
    sha256 = upload_pieces.finished_as(sending)
    if sha256 and blob_is_here(sha256, Q(user=sending.user)):
        return Received(sending.size, sha256)
    return Received(upload_pieces.gathered(sending))


def entries_of(version: models.ModelVersion) -> list[FileEntry]:
    """Return path and digest of each file of a version."""
    rows = models.ArtifactFile.objects.filter(version=version)
    return [FileEntry(*row) for row in rows.values_list("path", "blob__sha256")]


def differing_artifacts() -> list[str]:
    """Return a sentence for each version whose files do not have its digest."""
    warnings = []
    rows = models.ModelVersion.objects.exclude(artifact_size=None).select_related("model")
    for row in rows.order_by("pk").iterator(chunk_size=500):
        entries = entries_of(row)
        if not entries or artifact_digest(entries) != row.artifact_digest:
            warnings.append(f"The files of {row.model.name} v{row.number} do not match its digest.")
    return warnings


def stored_file(row: models.ArtifactFile | models.RunFile) -> ArtifactFile:
    """Return the record of a file, from its row and that of its blob."""
    blob = row.blob
    damage = Damage(blob.damage) if blob.damage else None
    return ArtifactFile(row.path, blob.size, blob.sha256, blob.findings, damage=damage)


def _damages(files: Sequence[ArtifactFile]) -> list[str]:
    """Return sentences about damaged files, at most ten and the number of others."""
    damaged = [(file.path, file.damage) for file in files if file.damage]
    sentences = [
        f"{path} is damaged: its stored content {damage.sentence}. Upload the file again, or "
        "restore the content from a backup and run obeya doctor."
        for path, damage in damaged[:DAMAGED_SHOWN]
    ]
    if others := len(damaged) - len(sentences):
        sentences.append(f"{others:,} more files are damaged.")
    return sentences


def one_level(rows: Iterable[tuple[str, int]], start: str) -> list[Listed]:
    """Return the files (path, size) and folders directly below the prefix `start`, sorted."""
    found: dict[str, int | None] = {}
    for path, size in rows:
        # SQLite compares prefixes without regard to case.
        if not path.startswith(start):
            continue
        name, slash, _ = path[len(start) :].partition("/")
        found[start + name] = None if slash else size
    return [Listed(path, found[path]) for path in sorted(found)]
