"""The files of versions in an MLflow registry: located, fetched, and passed to a store.

Files are fetched only from the server given by the caller, and no name from the server is used as a
file name on this machine.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from obeya.artifacts.manifest import FILES_MAX, FileEntry, local_files
from obeya.artifacts.paths import artifact_path
from obeya.errors import InvalidInput, NotFound, StorageFull, TooLarge, Unreachable
from obeya.transfer.mlflow_server import FILES, FILES_API, MlflowServer

Store = Callable[[Path], str]
"""Stores the content of a local file and returns its SHA-256."""

_LOGGED_MODEL = re.compile(r"models:/+(m-[0-9a-zA-Z]{1,64})(?:/(.*))?\Z")
_RUN = re.compile(r"runs:/+([0-9a-zA-Z_-]{1,64})(?:/(.*))?\Z")
_STEPS_MAX = 4


class FilesElsewhere(Exception):
    """The files of a version cannot be fetched from here; the text says why."""


def stored_files(server: MlflowServer, uri: str, store: Store) -> Iterator[FileEntry]:
    """Yield the files at `uri`; each is stored during the iteration.

    Raises:
        FilesElsewhere: neither the server nor this machine has them, or there is no space for one.
        RegistryError: our registry refused; see `RemoteRegistry.store_file`.
    """
    with _told_of():
        place = _place(server, uri)
        if isinstance(place, Path):
            found = list(local_files(place).items())
        else:
            below = list(_files_below(server, place))
            kept: list[tuple[str, str, int | None]]
            kept = [(path[len(place) :].lstrip("/"), path, size) for path, size in below]
            # A path without a listing is a file.
            kept = kept or [(artifact_path(place.rpartition("/")[2]), place, None)]
    if isinstance(place, Path):
        for path, file in found:
            yield FileEntry(path, _stored(file, store))
        return
    for path, where, size in kept:
        with tempfile.NamedTemporaryFile(prefix="obeya-") as draft:
            with _told_of():
                _fetch(server, where, size, draft)
            yield FileEntry(path, _stored(Path(draft.name), store))


@contextmanager
def _told_of() -> Iterator[None]:
    """Convert errors of the source to `FilesElsewhere`."""
    try:
        yield
    except (InvalidInput, NotFound, Unreachable) as error:
        raise FilesElsewhere(str(error)) from None


def _stored(file: Path, store: Store) -> str:
    try:
        return store(file)
    except (TooLarge, StorageFull) as error:
        raise FilesElsewhere(str(error)) from None


def _place(server: MlflowServer, uri: str) -> str | Path:
    """Return the path of the files on the server, or their location on this machine."""
    for _ in range(_STEPS_MAX):
        if found := _LOGGED_MODEL.match(uri):
            uri = _below(server.folder_of_model(found[1]), found[2])
        elif found := _RUN.match(uri):
            uri = _below(server.folder_of_run(found[1]), found[2])
        else:
            break
    kept = _kept_by(server, uri)
    if kept is not None:
        return artifact_path(kept) if kept else ""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file") and parts.netloc in ("", "localhost"):
        path = Path(unquote(parts.path) if parts.scheme else uri)
        if path.is_absolute() and path.exists():
            return path
        raise FilesElsewhere(f"{uri[:200]} does not exist on this machine.")
    raise FilesElsewhere(f"{uri[:200]} is neither on {server.address} nor on this machine.")


def _kept_by(server: MlflowServer, uri: str) -> str | None:
    """Return the path of files that the server stores; None if they are elsewhere."""
    own = urlsplit(server.address)
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme == "mlflow-artifacts" and parts.netloc in ("", own.netloc):
        return unquote(parts.path).strip("/")
    start = f"{own.path}{FILES_API}/{FILES}/"
    if (parts.scheme, parts.netloc) == (own.scheme, own.netloc) and parts.path.startswith(start):
        return unquote(parts.path[len(start) :]).strip("/")
    return None


def _below(folder: str, path: str | None) -> str:
    if not folder:
        raise FilesElsewhere("the tracking server does not report their location.")
    return f"{folder.rstrip('/')}/{path}" if path else folder


def _files_below(server: MlflowServer, folder: str) -> Iterator[tuple[str, int]]:
    """Yield path and size in bytes of each file below a folder; fails above the artifact limit."""
    waiting, count = [folder], 0
    while waiting:
        here = waiting.pop()
        for name, size in server.listed_files(here):
            # A name from the server is used as a path only after it was checked.
            path = artifact_path(f"{here}/{name}" if here else name)
            count += 1
            if count > FILES_MAX:
                raise FilesElsewhere(f"there are more than {FILES_MAX:,} files.")
            if size is None:
                waiting.append(path)
            else:
                yield path, size


def _fetch(server: MlflowServer, path: str, size: int | None, draft: IO[bytes]) -> None:
    came = 0
    with server.file_content(path) as pieces:
        for piece in pieces:
            came += len(piece)
            if size is not None and came > size:
                break
            draft.write(piece)
    draft.flush()
    if size is not None and came != size:
        raise FilesElsewhere(f"{path[:200]} has {came:,} bytes instead of {size:,}.")
