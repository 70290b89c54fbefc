"""Events of downloads, if OBEYA_RECORD_DOWNLOADS is set. They are written after the answer."""

from __future__ import annotations

from datetime import datetime

from boards.access.actors import Actor
from boards.models import ModelVersion
from boards.registry.commit import writing_site
from obeya.artifacts.records import ArtifactFile
from obeya.records import Action


def record_download(
    *, file: ArtifactFile, size: int, version: ModelVersion | None, actor: Actor, at: datetime
) -> None:
    """Record that the actor downloaded `size` bytes of a file of a version, or (None) of a run.

    The caller has checked the permission before it sent the file. The event is on the site chain:
    on that of the model it would change the model's revision.
    """
    action = Action.ARTIFACT_DOWNLOADED if version else Action.RUN_FILE_DOWNLOADED
    of = {"model": str(version.model.uid), "version": version.number} if version else {}
    with writing_site(actor=actor, at=at) as write:
        write.record(
            action, data={**of, "sha256": file.sha256, "bytes": size}, texts={"path": file.path}
        )
