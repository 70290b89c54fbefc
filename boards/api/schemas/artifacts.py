"""Files as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import Body
from obeya.artifacts.manifest import FILES_MAX
from obeya.artifacts.paths import PATH_MAX

_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
BINARY_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _BYTES}}
BINARY_ANSWER: dict[str, Any] = {
    "responses": {200: {"content": _BYTES}, 206: {"content": _BYTES}},
    "parameters": [
        {
            "in": "header",
            "name": "Range",
            "required": False,
            "description": "A part of the file, such as `bytes=0-1023`. The status is then 206.",
            "schema": {"type": "string"},
        }
    ],
}

Sha256Text = Annotated[str, Field(pattern="^(sha256:)?[0-9a-f]{64}$")]


class Blob(Schema):
    """Stored content. `size` is in bytes."""

    sha256: str
    size: int


class NewFile(Body):
    """A file of an artifact, with the SHA-256 of its content."""

    path: Annotated[str, Field(min_length=1, max_length=PATH_MAX)]
    sha256: Sha256Text


class NewArtifact(Body):
    """All files of an artifact. `digest` (optional) is the digest that they must have together."""

    files: Annotated[list[NewFile], Field(min_length=1, max_length=FILES_MAX)]
    digest: Annotated[str, Field(max_length=71)] = ""


class ArtifactFile(Schema):
    """A stored file. `findings` is the result of its inspection, which runs no code of the file.

    `damage` is what was wrong with its content when it was last read, else null.
    """

    path: str
    size: int
    sha256: str
    findings: dict[str, Any]
    damage: Literal["missing", "size", "content"] | None


class Artifact(Schema):
    """The files of a version. `size`, in bytes, is null if its files are stored elsewhere."""

    digest: str
    size: int | None
    warnings: list[str]
    files: list[ArtifactFile]
