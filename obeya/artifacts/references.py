"""References between the files of an artifact: external data, shards, parts of an MLflow model."""

from __future__ import annotations

from collections.abc import Container

_CLIMBS = ".."


def resolved(path: str, target: str) -> str | None:
    """Return the path that a file at `path` refers to as `target`, None if it is outside.

    The path is empty if it is the folder of the whole artifact.
    """
    if "\\" in target or ":" in target or target.startswith("/"):
        return None
    parts = path.split("/")[:-1]
    for part in target.split("/"):
        if part == _CLIMBS:
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def problem_of(path: str, target: str, places: Container[str]) -> str:
    """Return what is wrong with a reference from the file at `path`, "" if nothing is.

    `places` are the paths of all files and folders of the artifact.
    """
    found = resolved(path, target)
    if found is None:
        return f"{path} refers to {target}, which is outside the artifact."
    if found in places or not found:
        return ""
    return f"{path} refers to {target}, which is not in the artifact."
