"""What is done with files that a form brings."""

from __future__ import annotations

from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoFiles(FileUploadHandler):
    """Passes over every file: no form here takes one, unless its view says so."""

    def new_file(self, *args: object, **kwargs: object) -> None:
        """Let the file be read to its end and kept nowhere."""
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Never called; the base class wants it."""
        return None

    def file_complete(self, file_size: int) -> None:
        """Never called; the base class wants it."""
