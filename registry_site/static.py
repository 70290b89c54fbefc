"""Names and collection of static files."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Uses names with a digest of the content once the files were collected, plain names before."""

    # A script that imports another refers to it by its hashed name.
    support_js_module_import_aggregation = True

    def url(self, name: str | None, force: bool = False) -> str:
        """Return the URL of the file."""
        if not self.hashed_files and not force:
            return StaticFilesStorage.url(self, name)
        return str(super().url(name, force))


def collect_if_changed() -> None:
    """Collect the static files, unless they are unchanged since the last time."""
    marker = Path(settings.STATIC_ROOT) / ".collected"
    present = _fingerprint()
    with suppress(FileNotFoundError):
        if marker.read_text() == present:
            return
    call_command("collectstatic", interactive=False, verbosity=0)
    marker.write_text(present)


def _fingerprint() -> str:
    """Return a value that changes when a file was added, removed, renamed or written."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: found[0]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
