"""Downloads of versions' files."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission
from boards.access_events import send_file
from boards.queries.facts.files.artifact import file_of
from boards.queries.facts.records import find_named_version
from boards.views.http import Request, needs, page_actor


@require_safe
@needs(Permission.VIEW)
def download_file(request: Request, name: str, number: int, path: str) -> HttpResponseBase:
    """Send one file, as an attachment."""
    version = find_named_version(name, number)
    return send_file(request, page_actor(request), file_of(version, path), version)
