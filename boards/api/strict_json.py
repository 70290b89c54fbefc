"""The parser of JSON bodies of the API."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from boards.json_object import json_object


class StrictParser(Parser):
    """Parses a body by `boards.json_object`."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the object in the body.

        Raises:
            InvalidInput: the body is not JSON, or not an object.
        """
        return json_object(request.body)
