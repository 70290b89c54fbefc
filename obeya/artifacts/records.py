"""The artifact of a version as a caller sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file that is stored in the registry.

    `sha256` is 64 hex digits, `size` in bytes; `findings` what `obeya.artifacts.findings` tells.
    """

    path: str
    size: int
    sha256: str
    findings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a version is made of: `digest` as `obeya.artifacts.manifest.artifact_digest` gives it.

    `size` is the sum of all files in bytes, None where none are stored in the registry.
    """

    digest: str
    size: int | None
    warnings: tuple[str, ...] = ()
    files: tuple[ArtifactFile, ...] = ()
