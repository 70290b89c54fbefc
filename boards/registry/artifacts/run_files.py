"""Writes to the files of runs, which MLflow's clients store before they register a version.

They belong to no model, so that their events are on the site chain. The path is a text of the
event: it can contain what a client wrote.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.migrations import Migration
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import Permission
from boards.files.blob_store import Body
from boards.queries.facts.accounts.visible_models import stored_by
from boards.queries.facts.files.run_files import run_file, run_files_below
from boards.registry.artifacts.artifacts import store_blob
from boards.registry.commit import writing_site
from boards.registry.upgrades import brings
from obeya.artifacts.manifest import folders_of
from obeya.artifacts.paths import artifact_path
from obeya.audit.chain import SYSTEM_ACTOR, text_digest, timestamp
from obeya.errors import AlreadyExists, NotAllowed, NotFound
from obeya.records import Action

# One event has so many files, so that its text stays short.
ADOPTED_AT_ONCE = 100
# The migration since which storing a file is an event.
_UPGRADE = "0024_limited_tokens"


def store_run_file(
    *, path: str, body: Body, size: int | None, actor: Actor, at: datetime
) -> models.RunFile:
    """Store a file of a run, as MLflow's clients do before they register a version of it.

    The same content at the same path again writes nothing.

    Raises:
        NotAllowed: the actor does not have the register permission, or someone else stored a file
            there, or a token with another limit.
        InvalidInput: the path is invalid.
        AlreadyExists: the path is a folder, or one of its folders is a file.
        TooLarge, StorageFull: see `boards.files.blob_store.arrived`.
    """
    actor.require_anywhere(Permission.REGISTER)
    path = artifact_path(path)
    _require_place(path, actor)
    blob = store_blob(body=body, size=size, actor=actor, at=at)
    with writing_site(actor=actor, at=at) as write:
        old = _require_place(path, actor)
        values = {
            "blob": blob,
            "user": actor.user,
            "models_digest": actor.grant.models_digest if actor.grant else "",
        }
        if old and all(getattr(old, column) == value for column, value in values.items()):
            return old
        row, _ = models.RunFile.objects.update_or_create(
            path=path, defaults=values | {"stored_at": write.at}
        )
        data = _content(row) | {"old": _content(old) if old else None}
        if row.models_digest:
            data["models_digest"] = row.models_digest
        write.record(Action.RUN_FILE_STORED, data=data, texts={"path": path})
        return row


def delete_run_files(*, path: str, actor: Actor, at: datetime) -> int:
    """Remove a file of a run, or a folder with everything in it.

    Return the number of files removed. Files of versions are kept.

    Raises:
        NotAllowed: the actor does not have the register permission, or someone else stored one of
            them, or a token with another limit, and the actor can read it.
        NotFound: there is no such file or folder that the actor can read.
    """
    actor.require_anywhere(Permission.REGISTER)
    path = artifact_path(path)
    with writing_site(actor=actor, at=at) as write:
        present = models.RunFile.objects.filter(path=path).select_related("blob")
        rows = _readable([*present, *_run_files_below(path)], path, actor)
        if not rows:
            raise NotFound(f"There is no file “{path[:64]}”.", what="file")
        _require_own(rows, actor)
        models.RunFile.objects.filter(pk__in=[row.pk for row in rows]).delete()
        operation = uuid.uuid4()
        for row in rows:
            write.record(
                Action.RUN_FILE_DELETED,
                operation=operation,
                data=_content(row),
                texts={"path": row.path},
            )
        return len(rows)


def adopt_run_files(*, actor: Actor, at: datetime) -> int:
    """Record all files of runs in the log, as they are now; return their number.

    For files that earlier versions of Obeya stored without events.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    if not models.RunFile.objects.exists():
        return 0
    count = 0
    with writing_site(actor=actor, at=at) as write:
        rows = models.RunFile.objects.select_related("blob", "user").order_by("pk").iterator()
        while batch := list(islice(rows, ADOPTED_AT_ONCE)):
            files = [
                {
                    "path_digest": text_digest(row.path),
                    **_content(row),
                    "user": str(row.user.uid) if row.user else SYSTEM_ACTOR,
                    "models_digest": row.models_digest,
                    "stored_at": timestamp(row.stored_at),
                }
                for row in batch
            ]
            write.record(
                Action.RUN_FILE_ADOPTED, data={"files": len(files), "adopted_files": files}
            )
            count += len(files)
    return count


def adopt_files_after_upgrade(plan: Iterable[tuple[Migration, bool]] = (), **_: Any) -> None:
    """Record the files of runs of an older installation, once. Receiver of post_migrate."""
    if brings(plan, _UPGRADE):
        adopt_run_files(actor=SYSTEM, at=timezone.now())


def _content(row: models.RunFile) -> dict[str, object]:
    return {"sha256": row.blob.sha256, "size": row.blob.size}


def _require_place(path: str, actor: Actor) -> models.RunFile | None:
    """Check that the actor can store a file at the path, and return the one that is there.

    Raises `AlreadyExists` or `NotAllowed`.
    """
    present = models.RunFile.objects.filter(path=path).select_related("blob").first()
    if present is not None:
        _require_own([present], actor)
        return present
    through_file = models.RunFile.objects.filter(path__in=folders_of(path)).exists()
    if through_file or _run_files_below(path):
        raise AlreadyExists(
            f"“{path[:64]}” is a folder, or one of its folders is a file.", field="path"
        )
    return None


def _run_files_below(folder: str) -> list[models.RunFile]:
    start = f"{folder}/"
    rows = models.RunFile.objects.filter(path__startswith=start).select_related("blob")
    # SQLite compares without regard to case here.
    return [row for row in rows.order_by("path") if row.path.startswith(start)]


def _readable(
    rows: Sequence[models.RunFile], within: str, actor: Actor
) -> Sequence[models.RunFile]:
    """Return those of the files at a path or below it that the actor can read."""
    others = _stored_by_others(rows, actor)
    if not others:
        return rows
    shown = {f"{within}/{path}" for path, _ in run_files_below(within, actor)}
    if any(row.path == within for row in others):
        with suppress(NotFound):
            run_file(within, actor)
            shown.add(within)
    return [row for row in rows if row not in others or row.path in shown]


def _require_own(rows: Sequence[models.RunFile], actor: Actor) -> None:
    """Check that the actor stored all of these files, or administers the whole registry.

    Raises `NotAllowed` otherwise.
    """
    for row in _stored_by_others(rows, actor):
        raise NotAllowed(
            f"“{row.path[:64]}” was stored by another account, or with a token for other models.",
            permission=Permission.ADMINISTER.value,
        )


def _stored_by_others(rows: Sequence[models.RunFile], actor: Actor) -> list[models.RunFile]:
    """Return those of the files that the actor can change only with the administer permission."""
    if actor.may_everywhere(Permission.ADMINISTER):
        return []
    own = models.RunFile.objects.filter(stored_by(actor), pk__in=[row.pk for row in rows])
    owned = set(own.values_list("pk", flat=True))
    return [row for row in rows if row.pk not in owned]
