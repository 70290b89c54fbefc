"""Downloads of versions' files."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission
from boards.files.downloads import file_response
from boards.queries.facts.artifact import file_of
from boards.queries.facts.records import find_named_version
from boards.registry.artifacts.damage import mark_damaged
from boards.views.http import Request, needs


@require_safe
@needs(Permission.VIEW)
def download_file(request: Request, name: str, number: int, path: str) -> HttpResponseBase:
    """Send one file, as an attachment."""
    return file_response(request, file_of(find_named_version(name, number), path), mark_damaged)
