"""Imports from other registries."""

from __future__ import annotations

from typing import Annotated

from ninja import Schema
from pydantic import AwareDatetime, BeforeValidator, Field

from boards.api.schemas.artifacts import NewFile
from boards.api.schemas.basics import Body, Finite, StageName, VersionNumber
from obeya import names
from obeya.artifacts.manifest import FILES_MAX
from obeya.imports import VERSIONS_AT_ONCE_MAX


def _text(value: object) -> object:
    if not isinstance(value, str):
        # A number would not say whether it is in seconds or in milliseconds.
        raise ValueError("It must be a string in ISO 8601 format with an offset from UTC.")  # noqa: TRY004
    return value


# Times are sent as texts, which the strict mode of the other members would refuse.
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text)]


class ImportedVersionIn(Body):
    """A version from another registry."""

    version: VersionNumber
    stage: StageName
    created_at: Moment
    updated_at: Moment
    metrics: dict[str, Finite] = {}
    tags: dict[str, str] = {}
    aliases: list[str] = []
    artifact_path: str = ""
    source_run: str = ""
    description: str = ""
    files: Annotated[list[NewFile], Field(max_length=FILES_MAX)] = []


class ImportIn(Body):
    """A model from another registry, with up to 500 of its versions, sorted by number.

    With `clamp_future_times`, times in the future are replaced by the time of the import.
    """

    model: Annotated[str, Field(min_length=1, max_length=names.MODEL_NAME_MAX)]
    origin: Annotated[str, Field(max_length=names.URI_MAX)] = ""
    created_at: Moment
    description: str = ""
    tags: dict[str, str] = {}
    versions: Annotated[list[ImportedVersionIn], Field(max_length=VERSIONS_AT_ONCE_MAX)] = []
    clamp_future_times: bool = False


class RefusedVersion(Schema):
    """A version that could not be imported, with the reason."""

    version: int
    reason: str


class ImportReport(Schema):
    """The result of an import.

    `imported` are the imported versions, `existing` those that existed before. `kept_aliases` has a
    sentence for each alias that already points to another version, `clamped_times` one for each
    time in the future that was replaced, `similar_names` one for each imported name that is similar
    to another one.
    """

    model: str
    is_new: bool
    imported: list[int]
    existing: list[int]
    refused: list[RefusedVersion]
    kept_aliases: list[str]
    clamped_times: list[str]
    similar_names: list[str]
