"""What is done with files that a form brings."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    SkipFile,
    TemporaryFileUploadHandler,
)

from boards import blob_store


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


class IncomingFiles(TemporaryFileUploadHandler):
    """Gathers each file of a form beside what becomes of it, until the request is over."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Make room for a file."""
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = _Incoming(
            self.file_name, self.content_type, 0, self.charset, self.content_type_extra
        )


class _Incoming(TemporaryUploadedFile):
    def __init__(self, *args: Any) -> None:
        file = NamedTemporaryFile(suffix=".part", dir=blob_store.incoming())  # noqa: SIM115
        UploadedFile.__init__(self, file, *args)
