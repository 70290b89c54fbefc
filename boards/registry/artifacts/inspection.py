"""Inspect stored files again, after an upgrade that inspects more, or after an import."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.files.stored_content import DamagedContent, StoredContent
from boards.queries.facts.files.file_findings import (
    file_warnings,
    findings_digest,
    inspector_of,
    sealed_findings,
)
from boards.registry.artifacts.damage import mark_damaged, mark_intact
from boards.registry.commit import writing_model
from obeya.artifacts.findings import findings_of
from obeya.artifacts.inspection import INSPECTOR
from obeya.artifacts.records import Damage
from obeya.errors import NotFound
from obeya.records import Action

SECONDS_BETWEEN = 60
ATTEMPTS_MAX = 3
logger = logging.getLogger(__name__)
_CHANGING = ("artifact_warnings", "artifact_code")


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedVersion:
    """A version whose files were inspected again; `changed`: with another result than before."""

    model: str
    number: int
    warnings: int
    changed: bool


def forget_inspections() -> int:
    """Let all stored files be inspected again; return the number of versions concerned.

    Until then, policies about files do not pass.
    """
    with transaction.atomic():
        models.Blob.objects.update(inspector=0)
        return models.ModelVersion.objects.exclude(artifact_size=None).update(artifact_inspector=0)


def outdated_versions() -> list[int]:
    """Return the ids of versions that an older version of Obeya inspected, the newest first."""
    rows = models.ModelVersion.objects.filter(
        artifact_size__isnull=False,
        artifact_inspector__lt=INSPECTOR,
        deleted_at=None,
        model__deleted_at=None,
    )
    return list(rows.order_by("-pk").values_list("pk", flat=True))


def inspect_version(*, pk: int, actor: Actor, at: datetime) -> InspectedVersion | None:
    """Inspect the outdated files of a version; None if it was deleted meanwhile.

    Files are read outside of transactions. A result that differs from the one before is recorded.
    """
    row = models.ModelVersion.objects.select_related("model").filter(pk=pk).first()
    if row is None:
        return None
    for blob in models.Blob.objects.filter(artifact_files__version=row).distinct().order_by("pk"):
        if inspector_of(blob) < INSPECTOR:
            _inspect_blob(blob, at)
    try:
        return _record(row, actor=actor, at=at)
    except NotFound:
        return None


def keep_inspecting(stopping: threading.Event) -> None:
    """Inspect in the background until `stopping` is set. All errors are logged.

    A version whose inspection fails does not stop the others; it is tried at most three times.
    """
    failures: Counter[int] = Counter()
    while not stopping.is_set():
        try:
            for pk in outdated_versions():
                if stopping.is_set():
                    break
                if failures[pk] < ATTEMPTS_MAX and not _is_inspected(pk):
                    failures[pk] += 1
        except Exception:
            logger.exception("The inspection of files was interrupted; it will be tried again.")
        connections.close_all()
        stopping.wait(SECONDS_BETWEEN)


def _is_inspected(pk: int) -> bool:
    """Inspect a version; an error is logged."""
    try:
        inspect_version(pk=pk, actor=SYSTEM, at=timezone.now())
    except Exception:
        logger.exception("The inspection of the files of version %s failed.", pk)
        connections.close_all()
        return False
    return True


def _inspect_blob(blob: models.Blob, at: datetime) -> None:
    if blob.damage == Damage.CONTENT.value:
        # It is not read again until it is stored again.
        findings, inspector = _of_damaged(Damage.CONTENT), 0
    else:
        try:
            with StoredContent(blob.sha256, blob.size) as content:
                content.verify()
                content.file.seek(0)
                findings, inspector = findings_of(content.file, blob.size), INSPECTOR
            if blob.damage:
                mark_intact(blob=blob)
        except DamagedContent as found:
            if found.damage.value != blob.damage:
                mark_damaged(found=found, at=at)
            # It may be intact later: its storage was not mounted, or a backup is restored.
            findings, inspector = _of_damaged(found.damage), 0
    sealed = sealed_findings(blob.sha256, blob.size, findings, inspector)
    models.Blob.objects.filter(pk=blob.pk).update(**sealed)


def _of_damaged(damage: Damage) -> dict[str, Any]:
    return {"format": "", "unsearched": f"its content {damage.sentence}"}


def _record(row: models.ModelVersion, *, actor: Actor, at: datetime) -> InspectedVersion:
    with writing_model(row.model.name, actor=actor, at=at) as write:
        version = write.version(row.number)
        files = models.ArtifactFile.objects.filter(version=version).select_related("blob")
        found = file_warnings({file.path: file.blob for file in files.order_by("path")})
        changed = any(getattr(version, column) != found[column] for column in _CHANGING)
        if changed:
            old = {
                "inspector": version.artifact_inspector,
                "warnings": len(version.artifact_warnings),
                "code": len(version.artifact_code),
            }
            write.update_version(version, **found)
            write.record(
                Action.ARTIFACT_INSPECTED,
                version=version,
                data={
                    "inspector": found["artifact_inspector"],
                    "warnings": len(found["artifact_warnings"]),
                    "code": len(found["artifact_code"]),
                    "findings_digest": findings_digest(version),
                    "old": old,
                },
            )
        else:
            models.ModelVersion.objects.filter(pk=version.pk).update(
                artifact_inspector=found["artifact_inspector"]
            )
    return InspectedVersion(
        model=row.model.name,
        number=row.number,
        warnings=sum(len(found[column]) for column in _CHANGING),
        changed=changed,
    )
