"""The artifact of a version as returned to callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file that is stored in the registry.

    `sha256` is 64 hex digits, `size` is in bytes; `findings` are those of
    `obeya.artifacts.findings`.
    """

    path: str
    size: int
    sha256: str
    findings: Mapping[str, Any] = field(default_factory=dict)

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
