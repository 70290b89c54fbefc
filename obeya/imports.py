"""What another registry hands over, models and versions with their past, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from obeya.artifacts.manifest import FileEntry
from obeya.stages import Stage

VERSIONS_AT_ONCE_MAX = 500


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """A version as it stands in another registry, which lets it into its stage unjudged.

    `created_at` and `updated_at` are that registry's, aware; the rest as `VersionDraft`. `files`
    is what it is made of, whose content was sent before; none where no files come along.
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
    """A model as it stands in another registry, with some of its versions, by number.

    `origin` is that registry's address, without a password.
    """

    name: str
    origin: str
    created_at: datetime
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[ImportedVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of a model: whether it is new, and the numbers of its versions by their fate.

    `there` were there before, as they are in the other registry or changed since. `refused` and
    `kept_aliases` hold a sentence for each version that cannot be brought, and for each alias that
    already points elsewhere.
    """

    model: str
    is_new: bool = False
    brought: tuple[int, ...] = ()
    there: tuple[int, ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    kept_aliases: tuple[str, ...] = ()
