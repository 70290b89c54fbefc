"""The reader of JSON bodies that the API uses."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from boards.json_object import json_object


class StrictParser(Parser):
    """Reads a body as `boards.json_object` does."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The object that the body holds.

        Raises:
            InvalidInput: it is no JSON, or no object.
        """
        return json_object(request.body)
