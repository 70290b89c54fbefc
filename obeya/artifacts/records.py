"""The artifact of a version as returned to callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Any


class Damage(StrEnum):
    """What is wrong with stored content."""

    MISSING = "missing"
    SIZE = "size"
    CONTENT = "content"

    @property
    def sentence(self) -> str:
        """The damage as the end of a sentence: ``is missing``."""
        return _DAMAGES[self]


_DAMAGES = {
    Damage.MISSING: "is missing",
    Damage.SIZE: "has another size",
    Damage.CONTENT: "was altered",
}


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file that is stored in the registry.

    `sha256` is 64 hex digits, `size` is in bytes; `findings` are those of
    `obeya.artifacts.findings`. `damage` is what was wrong when the content was last read, else
    None.
    """

    path: str
    size: int
    sha256: str
    findings: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    damage: Damage | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Artifact:
    """The files of a version: `digest` is that of `obeya.artifacts.manifest.artifact_digest`.

    `size` is the sum of all files in bytes, None if the registry stores no files.
    """

    digest: str
    size: int | None
    warnings: tuple[str, ...] = ()
    files: tuple[ArtifactFile, ...] = ()
