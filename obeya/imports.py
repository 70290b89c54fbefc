"""Models and versions imported from another registry with their history, and the import report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from obeya.artifacts.manifest import FileEntry
from obeya.stages import Stage

VERSIONS_AT_ONCE_MAX = 500


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """A version in another registry. It is imported into its stage without a policy check.

    `created_at` and `updated_at` are that registry's times, with a time zone. The other fields are
    those of `VersionDraft`. `files` are the files of the version, whose content was uploaded
    before; empty if no files are imported.
    """

    version: int
    stage: Stage
    created_at: datetime
    updated_at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    artifact_path: str = ""
    source_run: str = ""
    description: str = ""
    files: tuple[FileEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A model in another registry, with some of its versions, ordered by number.

    `origin` is the address of that registry, without a password.
    """

    name: str
    origin: str
    created_at: datetime
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[ImportedVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The result of an import: whether the model is new, and its version numbers by outcome.

    `imported` are the imported versions. `existing` are versions that existed before, identical to
    those in the other registry or changed since. `refused` has a sentence for each version that
    cannot be imported, `kept_aliases` a sentence for each alias that already points to another
    version.
    """

    model: str
    is_new: bool = False
    imported: tuple[int, ...] = ()
    existing: tuple[int, ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    kept_aliases: tuple[str, ...] = ()
