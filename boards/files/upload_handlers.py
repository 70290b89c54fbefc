"""Upload handlers for the files of a form."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    SkipFile,
    TemporaryFileUploadHandler,
)
from django.http import QueryDict
from django.http.multipartparser import MultiPartParser
from django.utils.datastructures import MultiValueDict

from boards.files import blob_store
from boards.files.blob_store import Body
from obeya.errors import InvalidInput


class NoFiles(FileUploadHandler):
    """Skip every file: forms accept no files unless their view allows it."""

    def new_file(self, *args: object, **kwargs: object) -> None:
        """Read the file to its end and store nothing."""
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Never called; the base class requires it."""
        return None

    def file_complete(self, file_size: int) -> None:
        """Never called; the base class requires it."""


class IncomingFiles(FileUploadHandler):
    """Store each file of a form in the incoming directory until the request ends.

    A form that does not arrive completely raises `InvalidInput`, and none of its files is kept.
    Django would pass on the files that were complete when the client disconnected, as if the form
    had no others.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 - Django passes it by position or by this name
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> tuple[QueryDict, MultiValueDict[str, Any]]:
        """Parse the form from a body that has to arrive completely."""
        files = _FilesOfForm(self.request)
        body: Any = _WholeBody(input_data, content_length)
        try:
            return MultiPartParser(META, body, [files], encoding).parse()
        except BaseException:
            files.upload_interrupted()
            raise

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Never called; the base class requires it."""
        return None

    def file_complete(self, file_size: int) -> None:
        """Never called; the base class requires it."""


class _WholeBody:
    """A body of a known length that ends with an error if it is shorter."""

    def __init__(self, body: Body, length: int) -> None:
        self._body = body
        self._missing = length

    def read(self, size: int, /) -> bytes:
        piece = self._body.read(size)
        self._missing -= len(piece)
        if not piece and self._missing > 0:
            raise InvalidInput("The request body ended early. Send it again.", field="body")
        return piece


class _FilesOfForm(TemporaryFileUploadHandler):
    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Create the file that the content is written to."""
        FileUploadHandler.new_file(self, *args, **kwargs)
        self.file = _Incoming(
            self.file_name, self.content_type, 0, self.charset, self.content_type_extra
        )


class _Incoming(TemporaryUploadedFile):
    def __init__(self, *args: Any) -> None:
        file = NamedTemporaryFile(suffix=".part", dir=blob_store.incoming())  # noqa: SIM115
        UploadedFile.__init__(self, file, *args)
