"""The files of runs that an actor can reach.

They belong to no model. An actor reaches those that the same account stored (with a limited token:
that tokens with the same limit stored), and those that became the files of a version that the actor
can see. Administrators reach all, unless their token is limited to some models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from django.db.models import Q, QuerySet

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.queries.facts.accounts.visible_models import stored_by, visible_models
from boards.queries.facts.files.artifact import Listed, one_level, stored_file
from obeya.artifacts.manifest import folders_of
from obeya.artifacts.paths import artifact_path
from obeya.artifacts.records import ArtifactFile
from obeya.errors import NotFound

FOLDER = "api/2.0/mlflow-artifacts/artifacts/"
"""The path on this server below which MLflow's clients store files."""

LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-zA-Z]{1,64})\Z")
"""The source of a version that was created from a logged model of MLflow 3."""

_IN_LOGGED_MODEL = re.compile(r"(?:.*/)?models/(m-[0-9a-zA-Z]{1,64})/artifacts\Z")


def run_file(path: str, actor: Actor) -> ArtifactFile:
    """Return a file of a run. Raises `NotFound`, and `InvalidInput` for an invalid path."""
    row = models.RunFile.objects.filter(path=artifact_path(path)).select_related("blob").first()
    if row is None or not _reached(models.RunFile.objects.filter(pk=row.pk), row.path, actor):
        raise NotFound(f"There is no file “{path[:64]}”.", what="file")
    return stored_file(row)


def listed_run_files(folder: str, actor: Actor) -> list[Listed]:
    """List a folder of the files of runs ("" for the root), without what is below its folders."""
    start = f"{folder}/" if folder else ""
    rows = models.RunFile.objects.filter(path__startswith=start)
    return one_level(((path, size) for path, _, size in _reached(rows, folder, actor)), start)


def run_files_below(folder: str, actor: Actor) -> list[tuple[str, str]]:
    """Return path within the folder and SHA-256 of each file of a run below a folder."""
    start = f"{folder}/"
    rows = models.RunFile.objects.filter(path__startswith=start)
    return [
        (path.removeprefix(start), sha256)
        for path, sha256, _ in _reached(rows, folder, actor)
        # SQLite compares without regard to case here.
        if path.startswith(start)
    ]


def folder_of_logged_model(model_id: str, actor: Actor) -> str:
    """Return the folder of the files of a logged model of MLflow 3, "" if none are stored.

    MLflow clients store them below ``models/<id>/artifacts/`` of the experiment's folder. A folder
    of the actor's own files comes first: others could store files below the same id.
    """
    tail = f"models/{model_id}/artifacts/"
    rows = models.RunFile.objects.filter(Q(path__startswith=tail) | Q(path__contains=f"/{tail}"))
    for found in (rows.filter(stored_by(actor)), rows):
        for path in found.order_by("path").values_list("path", flat=True):
            place = f"/{path}".find(f"/{tail}")
            if place >= 0:
                return path[: place + len(tail) - 1]
    return ""


def _reached(
    rows: QuerySet[models.RunFile], within: str, actor: Actor
) -> list[tuple[str, str, int]]:
    """Return path, SHA-256 and size of those of the rows that the actor reaches, by their paths.

    All rows are at the path `within` or below it.
    """
    columns = ("path", "blob__sha256", "blob__size")
    if actor.may_everywhere(Permission.ADMINISTER):
        return sorted(rows.values_list(*columns))
    own = stored_by(actor)
    found = list(rows.filter(own).values_list(*columns))
    others = rows.exclude(own)
    if shown := set(_shown_by_versions(others, within, actor)):
        found += [row for row in others.values_list(*columns) if row[:2] in shown]
    return sorted(found)


def _shown_by_versions(
    rows: QuerySet[models.RunFile], within: str, actor: Actor
) -> Iterator[tuple[str, str]]:
    """Yield path and SHA-256 of the files that visible versions got from a folder around a path.

    A version only says where its files are from, and anyone who can register versions can say so.
    What counts is that the version has the same content at the same place. So the search begins
    with the content of the rows, and reads no version with other content.
    """
    folders = [*folders_of(within), within]
    ids = [found[1] for folder in folders if (found := _IN_LOGGED_MODEL.match(folder))]
    uri = "version__artifact_uri"
    # More than the sources below; many versions can have the same content.
    named = Q(**{f"{uri}__in": [f"models:/{model_id}" for model_id in ids]})
    for end in ("/", *(f"/{folder}" for folder in folders)):
        named |= Q(**{f"{uri}__endswith": end})
    named |= Q(**{f"{uri}__contains": "%"})
    files = models.ArtifactFile.objects.filter(
        visible_models(actor, "version__model"),
        named,
        blob__in=rows.values("blob"),
        version__deleted_at=None,
        version__model__deleted_at=None,
    )
    for source, path, sha256 in files.values_list(uri, "path", "blob__sha256"):
        folder = _source_folder(source, folders)
        if folder is not None:
            yield f"{folder}/{path}", sha256


def _source_folder(uri: str, folders: Iterable[str]) -> str | None:
    """Return which of the folders a version's artifact URI refers to, None if it is another."""
    logged_model = LOGGED_MODEL.match(uri)
    if logged_model:
        tail = f"models/{logged_model[1]}/artifacts"
        return next((each for each in folders if f"/{each}".endswith(f"/{tail}")), None)
    named = unquote(uri.partition(f"/{FOLDER}")[2]).strip("/")
    return named if named in folders else None
