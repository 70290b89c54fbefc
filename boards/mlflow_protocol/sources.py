"""Versions that were created from other versions: sources such as ``models:/churn/3``.

Every other source is opaque text: stored and returned unchanged, never opened. It is only compared
with the URLs of files that are stored here.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.mlflow_protocol.errors import invalid
from boards.mlflow_protocol.stages import read_stage
from boards.queries.facts.files.artifact import entries_of
from boards.queries.facts.files.run_files import (
    FOLDER,
    LOGGED_MODEL,
    folder_of_logged_model,
    run_files_below,
)
from boards.queries.facts.records import find_model
from obeya import names
from obeya.artifacts.manifest import FileEntry
from obeya.artifacts.paths import artifact_path
from obeya.errors import InvalidInput, NotAllowed, NotFound
from obeya.values import NUMBER_MAX

_OF_VERSION = re.compile(r"models:/(?P<name>[^/@:]+)(?:/(?P<what>[^/@]+)|@(?P<alias>[^/@]+))\Z")


def original_of(source: str, actor: Actor) -> models.ModelVersion | None:
    """Return the version of a source with a number, alias or stage; None for other sources.

    Raises:
        ProtocolError: there is no such version, or the actor cannot see it.
    """
    match = _OF_VERSION.match(source)
    if match is None:
        return None
    try:
        actor.require(Permission.VIEW, match["name"])
        model = find_model(match["name"])
    except (NotAllowed, NotFound):
        raise _unknown(source) from None
    versions = models.ModelVersion.objects.filter(model=model, deleted_at=None)
    if match["alias"]:
        versions = versions.filter(aliases__name=names.stored_form(match["alias"]))
    elif match["what"].isascii() and match["what"].isdigit() and len(match["what"]) < 11:
        versions = versions.filter(number=min(int(match["what"]), NUMBER_MAX))
    elif match["what"].lower() != "latest":
        try:
            versions = versions.filter(stage=read_stage(match["what"]).value)
        except InvalidInput:
            raise _unknown(source) from None
    row = versions.order_by("-number").first()
    if row is None:
        raise _unknown(source)
    return row


def files_here(
    source: str, original: models.ModelVersion | None, site: str, actor: Actor
) -> list[FileEntry]:
    """Return the files of a source that are stored here and that the actor reaches.

    The source is a version, or else the URL of a folder on this server, or a logged model of MLflow
    3 whose files are in such a folder.
    """
    if original is not None:
        return entries_of(original)
    address = f"{site}{FOLDER}"
    if source.startswith(address):
        folder = unquote(source.removeprefix(address)).strip("/")
    elif found := LOGGED_MODEL.match(source):
        folder = folder_of_logged_model(found[1], actor)
    else:
        return []
    try:
        folder = artifact_path(folder)
    except InvalidInput:
        return []
    return [FileEntry(path, sha256) for path, sha256 in run_files_below(folder, actor)]


def _unknown(source: str) -> Exception:
    return invalid(
        f"Unable to fetch model from model URI source artifact location '{source[:256]}': "
        "there is no such version in this registry."
    )
